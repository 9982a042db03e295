import { rmSync } from "node:fs";
import { join } from "node:path";

import { tryPieces } from "../../../engine/doctor/pieces";
import { type FakeTree, makeFakeTree } from "../../support/fake-tree";

// On small fake machines, where `pulumi` and the plugins are scripts: what is there is found, and
// what does not work is told.

let tree: FakeTree;

beforeEach(() => {
  tree = makeFakeTree();
});
afterEach(() => rmSync(tree.root, { recursive: true, force: true }));

describe("the doctor", () => {
  it("says of each missing piece what to do, and makes none", async () => {
    const findings = await tryPieces(tree.places);
    expect(findings).toHaveLength(4);
    for (const { origin, problem } of findings) {
      expect(origin).toBeUndefined();
      expect(problem).toBe(
        "It is not there. Run `npm start` or `npm test`: both find it or make it",
      );
    }
  });

  it("believes no CLI and no language host that cannot run a program", async () => {
    tree.cli("bin/pulumi", "3.246.0", "echo 'error: it only knows its version' >&2; exit 1");
    tree.plugin("bin/pulumi-language-nodejs", "3.246.0");
    const [cli, host] = await tryPieces(tree.places);
    for (const finding of [cli, host]) {
      expect(finding).toMatchObject({ version: "3.246.0", origin: "PATH" });
      expect(finding?.problem).toContain("`pulumi stack init doctor` failed: error: it only knows");
    }
  });

  it("believes no preview that did not run the program", async () => {
    tree.cli("bin/pulumi", "3.246.0", "echo 'Previewing update'");
    tree.plugin("bin/pulumi-language-nodejs", "3.246.0");
    const [cli] = await tryPieces(tree.places);
    expect(cli?.problem).toContain("`pulumi preview` failed");
  });

  it("shows a language host's own version, not that of the newer CLI beside it", async () => {
    tree.cli("bin/pulumi", "3.274.1");
    tree.plugin("bin/pulumi-language-nodejs", "3.250.0");
    const [cli, host] = await tryPieces(tree.places);
    expect([cli?.version, host?.version]).toEqual(["3.274.1", "3.250.0"]);
  });

  it("asks a plugin itself whether it works", async () => {
    tree.plugin("bin/pulumi-resource-postgresql", "3.18.1");
    tree.script(
      "bin/pulumi-resource-pulumi-nodejs",
      "echo 'node: command not found' >&2; exit 127",
    );
    const [, , postgresql, dynamic] = await tryPieces(tree.places);
    expect(postgresql).toMatchObject({ version: "3.18.1", origin: "PATH" });
    expect(postgresql?.problem).toBeUndefined();
    expect(dynamic?.problem).toMatch(/named no port to listen on: node: command not found/);
  });

  it("says why a provider cannot be kept running", async () => {
    const plugin = tree.plugin("opt/plugin", "3.18.1");
    tree.script("bin/pulumi-resource-pulumi-nodejs", "exit 1");
    // It tells its version once, so that it is found; then it names no port any more.
    const asked = join(tree.root, "asked");
    const later = `[ -e "${asked}" ] && echo "no licence" >&2 && exec sleep 600`;
    tree.script("bin/pulumi-resource-postgresql", `${later}\n: > "${asked}"\nexec "${plugin}"`);
    const kept = (await tryPieces(tree.places)).find(({ piece }) => piece === "kept providers");
    expect(kept?.problem).toMatch(
      /^provider postgresql names no port in 15 s no licence\. Set-ups/,
    );
  });
});
