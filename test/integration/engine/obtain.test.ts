import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { execFileSync, fork } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { join } from "node:path";

import { obtainEngine } from "../../../engine/obtain/obtain";
import { type FakeTree, makeFakeTree } from "../../support/fake-tree";

// The decisions, on small fake machines: `pulumi`, `go` and `curl` are shell scripts that do what the real
// ones do to the files. The real Go build is what `npm test`
// itself runs on; the real downloads need an open network.

let tree: FakeTree;
let said: string[];
const report = (line: string) => said.push(line);
const obtain = () => obtainEngine(report, tree.places);
const origins = async () =>
  Object.fromEntries((await obtain()).pieces.map(({ name, origin }) => [name, origin]));
const addToPath = (directory: string) => {
  tree.places.environment.PATH = `${tree.places.environment.PATH ?? ""}:${inTree(directory)}`;
};
const inTree = (...path: string[]) => join(tree.root, ...path);

/** A Go that "builds" a CLI in `seconds` and writes a line into go.log for each build. */
function installGo(seconds = 0, version = "3.246.0"): void {
  tree.cli("made/pulumi", version);
  tree.script(
    "bin/go",
    `if [ "$1" = list ]; then echo true; echo false; exit; fi
     echo build >> ${inTree("go.log")}
     sleep ${seconds}
     while [ $# -gt 0 ]; do [ "$1" = -o ] && out=$2; shift; done
     cp ${inTree("made/pulumi")} "$out"`,
  );
}

const builds = () =>
  existsSync(inTree("go.log")) ? readFileSync(inTree("go.log"), "utf8").split("\n").length - 1 : 0;

const CLI_ARCHIVE = `pulumi-v3.246.0-${process.platform}-${process.arch}.tar.gz`;
const architecture = process.arch === "x64" ? "amd64" : process.arch;
const PLUGIN_ARCHIVE = `pulumi-resource-postgresql-v3.18.1-${process.platform}-${architecture}.tar.gz`;

/** Writes down the environment that a tool was given. */
const NOTES = () => `export -p >> ${inTree("environments.log")}`;

/** An open network: curl gets the official archives, which these scripts and the real tar make. */
function openNetwork(): void {
  ["tar", "gzip"].forEach((tool) => tree.link(tool));
  tree.script("official/pulumi/pulumi", `${NOTES()}\necho v3.246.0`);
  tree.plugin("official/pulumi/pulumi-language-nodejs", "3.246.0");
  tree.script("official/pulumi/pulumi-resource-pulumi-nodejs", "");
  tree.plugin("official/plugin/pulumi-resource-postgresql", "3.18.1");
  mkdirSync(inTree("site"));
  const pack = (archive: string, ...args: string[]) =>
    execFileSync("tar", ["-czf", inTree("site", archive), "-C", ...args]);
  pack(CLI_ARCHIVE, inTree("official"), "pulumi");
  pack(PLUGIN_ARCHIVE, inTree("official/plugin"), "pulumi-resource-postgresql");
  tree.script(
    "bin/curl",
    `${NOTES()}
     for url in "$@"; do :; done
     case "$*" in *--head*) exit;; esac
     while [ $# -gt 0 ]; do [ "$1" = -o ] && out=$2; shift; done
     cp "${inTree("site")}/\${url##*/}" "$out"`,
  );
}

/** Pins the archives of the network as they are now, beside another platform's. */
function pin(...archives: string[]): void {
  const lines = archives.map((archive) => {
    const bytes = readFileSync(inTree("site", archive));
    return `${createHash("sha256").update(bytes).digest("hex")}  ${archive}\n`;
  });
  const other = `${"0".repeat(64)}  pulumi-v3.246.0-windows-x64.zip\n`;
  writeFileSync(inTree("checksums.txt"), `# of the releases\n${other}${lines.join("")}`);
  tree.places.environment.ENGINE_CHECKSUMS = inTree("checksums.txt");
}

beforeEach(() => {
  tree = makeFakeTree();
  said = [];
});
afterEach(() => rmSync(tree.root, { recursive: true, force: true }));

describe("what is installed already", () => {
  it("is taken as it is, and nothing is made", async () => {
    tree.cli("opt/bin/pulumi", "3.250.1");
    tree.plugin("opt/bin/pulumi-language-nodejs", "3.250.1");
    tree.script("opt/bin/pulumi-resource-pulumi-nodejs", "");
    tree.plugin(
      "home/.pulumi/plugins/resource-postgresql-v3.18.1/pulumi-resource-postgresql",
      "3.18.1",
    );
    tree.link("env");
    addToPath("opt/bin");
    const engine = await obtain();
    expect(engine.pieces.map(({ origin }) => origin)).toEqual([
      "PATH",
      "PATH",
      "~/.pulumi",
      "PATH",
    ]);
    expect(engine.pulumi).toBe(inTree("opt/bin/pulumi"));
    expect(engine.env.PATH).toBe(tree.places.environment.PATH);
    expect(said).toEqual([]);
    expect(existsSync(tree.places.engine)).toBe(false);
  });

  it.each(["3.245.0", "4.0.0"])("is passed over when the CLI is %s", async (version) => {
    tree.cli("bin/pulumi", version);
    tree.plugin("home/.pulumi/bin/pulumi-language-nodejs", version);
    installGo();
    expect(await origins()).toMatchObject({
      "Pulumi CLI": "built",
      "Node language host": "stand-in",
    });
  });

  it("is passed over when it does not run, or is another program of that name", async () => {
    tree.script("bin/pulumi", "exit 127");
    tree.script("home/.pulumi/bin/pulumi", "echo v3.250.0, or so I say");
    tree.script("bin/pulumi-resource-postgresql", "echo hello");
    installGo();
    expect(await origins()).toMatchObject({
      "Pulumi CLI": "built",
      "postgresql plugin": "stand-in",
    });
  });

  it("is found in ~/.pulumi, behind an older one on the PATH, and then goes before it", async () => {
    tree.cli("bin/pulumi", "3.100.0");
    tree.plugin("bin/pulumi-language-nodejs", "3.100.0");
    tree.cli("home/.pulumi/bin/pulumi", "3.246.0");
    tree.plugin("home/.pulumi/bin/pulumi-language-nodejs", "3.246.0");
    const engine = await obtain();
    expect(engine.pulumi).toBe(inTree("home/.pulumi/bin/pulumi"));
    expect(engine.env.PATH?.split(":")[0]).toBe(inTree("home/.pulumi/bin"));
    expect(builds()).toBe(0);
  });

  it("leaves the other pieces to be made: each is decided apart", async () => {
    tree.plugin("bin/pulumi-resource-postgresql", "3.19.0");
    installGo();
    expect(await origins()).toEqual({
      "Pulumi CLI": "built",
      "Node language host": "stand-in",
      "postgresql plugin": "PATH",
      "dynamic provider": "npm package",
    });
  });

  it.each(["3.18.0", "3.19.2"])(
    "is taken when the plugin in Pulumi's cache is %s, and then goes before what the CLI looks for",
    async (version) => {
      const cache = `home/.pulumi/plugins/resource-postgresql-v${version}`;
      tree.plugin(`${cache}/pulumi-resource-postgresql`, version);
      tree.plugin(
        "home/.pulumi/plugins/resource-postgresql-v3.17.0/pulumi-resource-postgresql",
        "3.17.0",
      );
      installGo();
      const { pieces, env } = await obtain();
      expect(pieces).toContainEqual(
        expect.objectContaining({ name: "postgresql plugin", version, origin: "~/.pulumi" }),
      );
      expect(env.PATH?.split(":")).toContain(inTree(cache));
      expect(said.join("\n")).not.toContain("3.17.0");
    },
  );

  it("is named, with the reason, when it is not used, each time", async () => {
    const older = tree.plugin("bin/pulumi-resource-postgresql", "3.17.2");
    const nameless = tree.plugin("home/.pulumi/bin/pulumi-language-nodejs", "");
    const cli = tree.cli("bin/pulumi", "4.0.0");
    installGo();
    const reasons = [
      `Pulumi CLI: ${cli} (PATH) is not used: it is version 4.0.0, and 3.246.0 or a later version 3 is needed`,
      `Node language host: ${nameless} (~/.pulumi) is not used: it does not know its version, and 3.246.0 or a later version 3 is needed`,
      `postgresql plugin: ${older} (PATH) is not used: it is version 3.17.2, and 3.18.0 or a later version 3 is needed`,
    ];
    await obtain();
    expect(said).toEqual(expect.arrayContaining(reasons));
    said = [];
    await obtain();
    expect(said).toEqual(reasons);
  });

  it("is the newest of Pulumi's cache that is named when none of them is used", async () => {
    for (const version of ["3.9.0", "3.17.0", "3.16.0"]) {
      const cache = `home/.pulumi/plugins/resource-postgresql-v${version}`;
      tree.plugin(`${cache}/pulumi-resource-postgresql`, version);
    }
    installGo();
    expect(await origins()).toMatchObject({ "postgresql plugin": "stand-in" });
    expect(said.filter((line) => line.includes("is not used"))).toEqual([
      expect.stringContaining("it is version 3.17.0, and 3.18.0 or a later version 3 is needed"),
    ]);
  });

  it("may be a language host older than the CLI that it lies beside: it is asked", async () => {
    tree.cli("bin/pulumi", "3.274.1");
    const host = tree.plugin("bin/pulumi-language-nodejs", "3.250.0");
    const versions = async () =>
      Object.fromEntries((await obtain()).pieces.map(({ name, version }) => [name, version]));
    tree.script("bin/pulumi-resource-pulumi-nodejs", "");
    expect(await versions()).toMatchObject({
      "Pulumi CLI": "3.274.1",
      "Node language host": "3.250.0",
      // Of the SDK that it starts.
      "dynamic provider": "3.246.0",
    });
    tree.plugin("bin/pulumi-language-nodejs", "3.200.0");
    expect(await origins()).toMatchObject({ "Node language host": "stand-in" });
    expect(said.join("\n")).toContain(`${host} (PATH) is not used: it is version 3.200.0`);
  });

  it("does not count as a plugin while its own download is unfinished", async () => {
    const cache = "home/.pulumi/plugins/resource-postgresql-v3.18.1";
    tree.plugin(`${cache}/pulumi-resource-postgresql`, "3.18.1");
    tree.script(`${cache}.partial`, "");
    installGo();
    expect(await origins()).toMatchObject({ "postgresql plugin": "stand-in" });
  });

  it("is linked as bin/pulumi when it lies in no bin, as the Automation API wants it", async () => {
    tree.cli("opt/pulumi/pulumi", "3.246.0");
    addToPath("opt/pulumi");
    const { pulumi } = await obtain();
    expect(pulumi).toBe(join(tree.places.engine, "link", "bin", "pulumi"));
    expect(readFileSync(pulumi, "utf8")).toContain("v3.246.0");
  });
});

describe("on an open network", () => {
  it("all comes from the official downloads, and Go is not asked", async () => {
    openNetwork();
    pin(CLI_ARCHIVE, PLUGIN_ARCHIVE);
    installGo();
    expect(await origins()).toEqual({
      "Pulumi CLI": "download",
      "Node language host": "download",
      "postgresql plugin": "download",
      "dynamic provider": "download",
    });
    expect(builds()).toBe(0);
  });

  it("a download that fails half-way is followed by the next way", async () => {
    openNetwork();
    pin(CLI_ARCHIVE, PLUGIN_ARCHIVE);
    tree.script(
      "bin/curl",
      `case "$*" in *--head*) exit;; esac
       while [ $# -gt 0 ]; do [ "$1" = -o ] && out=$2; shift; done
       echo half > "$out"; echo "curl: (18) cut"; exit 1`,
    );
    installGo();
    expect(await origins()).toMatchObject({ "Pulumi CLI": "built" });
    expect(said.join("\n")).toContain("did not work: curl: (18) cut");
    expect(existsSync(join(tree.places.engine, "download"))).toBe(false);
  });

  it.each([
    ["somebody changed", CLI_ARCHIVE],
    ["somebody changed", PLUGIN_ARCHIVE],
  ])("an archive that %s, %s, is refused before anything of it runs", async (_, changed) => {
    openNetwork();
    pin(CLI_ARCHIVE, PLUGIN_ARCHIVE);
    const evil = 'touch() { : > "$1"; }; touch ' + inTree("it-ran");
    tree.script("official/pulumi/pulumi", evil);
    tree.script("official/plugin/pulumi-resource-postgresql", evil);
    const folder =
      changed === CLI_ARCHIVE ? [inTree("official"), "pulumi"] : [inTree("official/plugin"), "."];
    execFileSync("tar", ["-czf", inTree("site", changed), "-C", ...folder]);
    installGo();
    expect(await origins()).toMatchObject(
      changed === CLI_ARCHIVE
        ? { "Pulumi CLI": "built", "postgresql plugin": "download" }
        : { "Pulumi CLI": "download", "postgresql plugin": "stand-in" },
    );
    expect(said.join("\n")).toMatch(
      new RegExp(
        `REFUSED, nothing of it is run: the SHA-256 of https://\\S+${changed} is [\\da-f]{64}, and [\\da-f]{64} is ` +
          "pinned. Look up .* correct its line in .*ENGINE_CHECKSUMS",
      ),
    );
    expect(existsSync(inTree("it-ran"))).toBe(false);
  });

  it("an archive whose digest nobody gave is not asked for, and the next way is taken", async () => {
    openNetwork();
    installGo();
    expect(await origins()).toMatchObject({
      ...{ "Pulumi CLI": "built", "postgresql plugin": "stand-in" },
    });
    for (const archive of [CLI_ARCHIVE, PLUGIN_ARCHIVE]) {
      expect(said.join("\n")).toContain(
        `not downloaded, because the SHA-256 of ${archive} is not known`,
      );
    }
    expect(existsSync(inTree("environments.log"))).toBe(false);
  });

  it("a list of digests that cannot be read is told", async () => {
    tree.places.environment.ENGINE_CHECKSUMS = inTree("no-such-list");
    await expect(obtain()).rejects.toThrow(
      /^ENGINE_CHECKSUMS names .*no-such-list, which cannot be/,
    );
  });

  it("no tool that fetches, builds or tries a piece has a secret in its environment", async () => {
    const secrets = {
      DATABASE_URL: "postgres://app:s3cret@db/app",
      PGPASSWORD: "s3cret",
      JWT_SECRET: "s3cret",
      PULUMI_CONFIG_PASSPHRASE: "s3cret",
      PULUMI_BACKEND_URL: "postgres://state:s3cret@db/state",
      PULUMI_ACCESS_TOKEN: "s3cret",
      AWS_SECRET_ACCESS_KEY: "s3cret",
      AZURE_STORAGE_KEY: "s3cret",
      GOOGLE_CREDENTIALS: "s3cret",
      GITHUB_TOKEN: "s3cret",
    };
    rmSync(tree.root, { recursive: true });
    tree = makeFakeTree({ ...secrets, HTTPS_PROXY: "http://proxy.example", GOFLAGS: "-mod=mod" });
    openNetwork();
    pin(CLI_ARCHIVE, PLUGIN_ARCHIVE);
    await obtain();
    rmSync(tree.places.engine, { recursive: true });
    tree.script("bin/pulumi", `${NOTES()}\necho v3.1.0`);
    tree.script("bin/pulumi-resource-postgresql", NOTES());
    delete tree.places.environment.ENGINE_CHECKSUMS;
    installGo();
    tree.script("bin/go", `${NOTES()}\n${readFileSync(inTree("bin/go"), "utf8")}`);
    await obtain();
    const environments = readFileSync(inTree("environments.log"), "utf8");
    expect(environments.match(/\bHTTPS_PROXY=/g)?.length).toBeGreaterThan(8);
    expect(environments).toContain("GOFLAGS=");
    expect(environments).not.toContain("s3cret");
  });
});

describe("on a closed network", () => {
  it("five seconds are enough to know, when nothing answers at all", async () => {
    // The real curl, sent through a proxy that takes every connection and never answers.
    const blackhole = createServer(() => undefined).listen(0, "127.0.0.1");
    await once(blackhole, "listening");
    blackhole.unref();
    const address = blackhole.address() as { port: number };
    rmSync(tree.root, { recursive: true });
    tree = makeFakeTree({ HTTPS_PROXY: `http://127.0.0.1:${address.port}` });
    openNetwork();
    pin(CLI_ARCHIVE);
    rmSync(inTree("bin/curl"));
    tree.link("curl");
    installGo();
    const began = performance.now();
    await obtain();
    expect(performance.now() - began).toBeGreaterThan(4000);
    expect(performance.now() - began).toBeLessThan(7000);
    blackhole.close();
  });

  it("says in one line what to install when there is no Go either", async () => {
    const error: unknown = await obtain().catch((e: unknown) => e);
    expect(error).toMatchObject({ name: "SetUpError" });
    expect(String(error)).toMatch(/^[^\n]*Go[^\n]*is not installed: install one of them[^\n]*$/);
  });

  it("says what Go said when it cannot build", async () => {
    tree.script("bin/go", "echo 'go: dial tcp: no such host' >&2; exit 1");
    await expect(obtain()).rejects.toThrow(/cannot build it: go: dial tcp: no such host$/);
  });

  it("says that the disk is full when it is", async () => {
    tree.script("bin/go", "echo 'write x.o: no space left on device' >&2; exit 1");
    await expect(obtain()).rejects.toThrow(/no space is left on the disk that holds .*\.engine$/);
  });
});

describe("a second run", () => {
  it("makes nothing again and says nothing", async () => {
    installGo();
    const first = await obtain();
    said = [];
    expect(await obtain()).toEqual(first);
    expect(said).toEqual([]);
    expect(builds()).toBe(1);
  });

  it("waits for one that is at it, and makes nothing twice", async () => {
    installGo(1);
    const [one, two] = await Promise.all([obtain(), obtain()]);
    expect(one).toEqual(two);
    expect(builds()).toBe(1);
    expect(said.filter((line) => line.includes("waiting for another set-up"))).toHaveLength(1);
  });

  it("goes on after one that was killed half-way", async () => {
    installGo(60);
    const killed = fork(join(__dirname, "..", "..", "support", "obtain-in-tree.js"), {
      env: { ...process.env, TREE: JSON.stringify(tree.places) },
    });
    const exit = once(killed, "exit");
    while (builds() === 0) await new Promise((resolve) => setTimeout(resolve, 20));
    killed.kill("SIGKILL");
    await exit;
    installGo();
    expect(await origins()).toMatchObject({ "Pulumi CLI": "built" });
    expect(builds()).toBe(2);
    expect(existsSync(join(tree.places.engine, "tmp"))).toBe(false);
  });

  it("builds anew when what was built is too old by now", async () => {
    installGo(0, "3.246.0");
    await obtain();
    tree.cli(".engine/bin/pulumi", "3.200.0");
    await obtain();
    expect(builds()).toBe(2);
  });
});
