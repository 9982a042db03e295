import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, realpathSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

import { ending, type FakeCheckout, lockFile, makeFakeCheckout } from "../../support/fake-checkout";

let checkout: FakeCheckout;

beforeEach(() => {
  checkout = makeFakeCheckout();
});
// What a test ended may be writing its last. From Node 22 on, rmSync tries again without a pause.
afterEach(() => rm(checkout.root, { recursive: true, force: true, maxRetries: 10 }));

const until = async (isTrue: () => boolean) => {
  while (!isTrue()) await new Promise((resolve) => setTimeout(resolve, 20));
};

describe("setting up a fresh clone", () => {
  it("installs, builds and runs, and shows each step", async () => {
    checkout.write("changed", "");
    const { code, stdout } = await checkout.run(["test", "some/test"]);
    expect(code).toBe(0);
    expect(stdout.split("\n")).toEqual([
      "[1/3] dependencies: installing with npm ci",
      "[2/3] build: compiling TypeScript",
      "[3/3] engine: made",
      "jest some/test",
      "",
    ]);
    expect(checkout.log()).toEqual(["npm ci", "npm done", "tsc"]);
  });

  it("has nothing to do or to say the next time", async () => {
    await checkout.run(["test"]);
    expect((await checkout.run(["test"])).stdout).toBe("[3/3] engine: made\njest\n");
    expect(checkout.log()).toEqual(["npm ci", "npm done"]);
  });

  it("installs again when the lock file has changed", async () => {
    await checkout.run(["test"]);
    checkout.write("package-lock.json", lockFile("1.0.1"));
    await checkout.run(["test"]);
    expect(checkout.log()).toEqual(["npm ci", "npm done", "npm ci", "npm done"]);
  });

  it("installs again when the last installation was cut short, which does not go on alone", async () => {
    const cut = checkout.start(["test"], { NPM_MS: "1000" });
    await until(() => checkout.log().length === 1);
    cut.kill("SIGKILL");
    await ending(cut);
    expect((await checkout.run(["test"], { NPM_MS: "1500" })).code).toBe(0);
    expect(checkout.log()).toEqual(["npm ci", "npm ci", "npm done"]);
  });

  it("installs from npm's cache alone when the registry does not answer", async () => {
    const { code } = await checkout.run(["test"], { PING_FAULT: "npm error code FETCH_ERROR" });
    expect(code).toBe(0);
    expect(checkout.log()).toEqual(["npm ci offline", "npm done"]);
  });

  it("installs as always from a registry that does not know how to answer a ping", async () => {
    await checkout.run(["test"], { PING_FAULT: "npm error code E404" });
    expect(checkout.log()).toEqual(["npm ci", "npm done"]);
  });

  it("twice at once installs once: the second waits for the first", async () => {
    const both = await Promise.all([
      checkout.run(["test"], { NPM_MS: "500" }),
      checkout.run(["test"], { NPM_MS: "500" }),
    ]);
    expect(both.map(({ code }) => code)).toEqual([0, 0]);
    expect(both.map(({ stdout }) => stdout).join()).toMatch(
      /waiting for another set-up \(process \d+\)/,
    );
    expect(checkout.log()).toEqual(["npm ci", "npm done"]);
  });

  it("says how long it has been at it when that takes more than two seconds", async () => {
    const { stdout } = await checkout.run(["test"], { NPM_MS: "2500" });
    expect(stdout).toContain("[1/3] dependencies: installing with npm ci, 2 s\n");
  });

  it("removes the output of sources that are gone, and no other", async () => {
    for (const end of [".js", ".js.map", ".d.ts"]) checkout.write(`dist/test/gone.test${end}`, "");
    await checkout.run(["test"]);
    expect(existsSync(join(checkout.root, "dist/test/gone.test.js"))).toBe(false);
    expect(existsSync(join(checkout.root, "dist/test/gone.test.d.ts"))).toBe(false);
    expect(existsSync(join(checkout.root, "dist/engine/obtain/obtain.js"))).toBe(true);
  });
});

describe("what goes wrong is one line and a non-zero exit", () => {
  it.each([
    ["npm error code ENOTFOUND", /^The npm registry cannot be reached \(ENOTFOUND\)[^\n]*\n$/],
    ["npm error code ENOSPC", /^npm ci failed: no space is left on the disk that holds [^\n]*\n$/],
    ["npm error code EUSAGE\nnpm error out of sync", /^npm ci failed: npm error out of sync\n$/],
  ])("when npm says %p", async (fault, line) => {
    const { code, stderr } = await checkout.run(["test"], { NPM_FAULT: fault });
    expect(code).toBe(1);
    expect(stderr).toMatch(line);
  });

  it("when neither the registry nor npm's cache has the dependencies", async () => {
    const { code, stderr } = await checkout.run(["test"], {
      PING_FAULT: "npm error code FETCH_ERROR",
      NPM_FAULT: "npm error code ENOTCACHED",
    });
    expect(code).toBe(1);
    expect(stderr).toMatch(/^The npm registry cannot be reached \(FETCH_ERROR\)[^\n]*\n$/);
  });

  it("except for the build, whose faults are all shown", async () => {
    checkout.write("changed", "a.ts(1,1): error TS1\nb.ts(2,2): error TS2");
    const { code, stderr } = await checkout.run(["test"]);
    expect(code).toBe(1);
    expect(stderr).toBe("The build failed:\na.ts(1,1): error TS1\nb.ts(2,2): error TS2\n");
  });

  it("when there is no such command", async () => {
    const { code, stderr } = await checkout.run(["constructor"]);
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /^usage: node scripts\/bootstrap\.mjs start\|test\|doctor\|token\|hash-password\|pulumi/,
    );
  });
});

describe("npm run pulumi", () => {
  it("runs the engine's CLI where npm was called, and keeps stdout for it", async () => {
    const { code, stdout, stderr } = await checkout.run(
      ["pulumi", "-c", "pwd; echo $FROM_ENGINE $FROM_DATABASE; exit 7"],
      { INIT_CWD: join(checkout.root, "src") },
    );
    expect(stdout).toBe(`${realpathSync(checkout.root)}/src\nyes here\n`);
    expect(stderr).toContain("[1/3] dependencies");
    expect(code).toBe(7);
  });
});

describe("npm start", () => {
  let started: ChildProcess;

  beforeEach(async () => {
    checkout.write("service/main.ts", "");
    checkout.write("service/token.ts", "");
    // A service that takes a while to finish what runs, and that a second SIGINT makes hurry.
    checkout.write(
      "dist/service/main.js",
      `const say = (line) => require("fs").appendFileSync(process.env.FAKE_ROOT + "/log", line + "\\n");
       let asked = 0;
       process.on("SIGINT", () => {
         say("SIGINT");
         asked += 1;
         setTimeout(() => process.exit(asked === 2 ? 5 : 3), 1000);
       });
       process.on("disconnect", () => { say("alone"); process.exit(4); });
       process.on("SIGTERM", () => { say("SIGTERM"); process.exit(0); });
       say("serving " + process.pid);`,
    );
    started = checkout.start(["start"]);
    await until(() => checkout.log().length === 3);
  });

  const servicePid = () => Number(checkout.log()[2]?.split(" ")[1]);

  it("passes a signal on and ends with the service's own exit code", async () => {
    started.kill("SIGTERM");
    expect((await ending(started)).code).toBe(0);
    expect(checkout.log().slice(3)).toEqual(["SIGTERM"]);
  });

  it("passes a Ctrl-C on once, though the terminal and npm both deliver it", async () => {
    started.kill("SIGINT");
    setTimeout(() => started.kill("SIGINT"), 50);
    expect((await ending(started)).code).toBe(3);
    expect(checkout.log().slice(3)).toEqual(["SIGINT"]);
  });

  it("passes a second Ctrl-C on too", async () => {
    started.kill("SIGINT");
    setTimeout(() => started.kill("SIGINT"), 600);
    expect((await ending(started)).code).toBe(5);
    expect(checkout.log().slice(3)).toEqual(["SIGINT", "SIGINT"]);
  });

  it("has the service in a session of its own, where the terminal's Ctrl-C does not reach it", () => {
    // The leader of a process group has the group's id; a signal to it finds the group.
    expect(process.kill(-servicePid(), 0)).toBe(true);
    started.kill("SIGTERM");
  });

  it("lets the service know when it is killed itself", async () => {
    started.kill("SIGKILL");
    await until(() => checkout.log().includes("alone"));
    expect(checkout.log().slice(3)).toEqual(["alone"]);
  });

  describe("by npm", () => {
    let byNpm: ChildProcess;

    beforeEach(async () => {
      byNpm = checkout.startByNpm("start");
      await until(() => checkout.log().length === 4);
    });
    afterEach(async () => {
      started.kill("SIGTERM");
      await ending(started);
    });

    const secondPid = () => Number(checkout.log()[3]?.split(" ")[1]);

    it("waits for the service when npm alone is told to end, as process managers do", async () => {
      byNpm.kill("SIGTERM");
      await ending(byNpm);
      expect(checkout.log().slice(4)).toEqual(["SIGTERM"]);
      expect(isAlive(secondPid())).toBe(false);
    });

    it.each(["SIGKILL", "SIGHUP"] as const)(
      "ends the service when npm is gone by %s, which it cannot pass on, and no other service",
      async (signal) => {
        byNpm.kill(signal);
        await until(() => !isAlive(secondPid()));
        expect(checkout.log().slice(4)).toEqual(["SIGTERM"]);
        expect(isAlive(servicePid())).toBe(true);
      },
    );

    it("takes the end of npm for no second signal where it had one itself", async () => {
      const bootstrap = parentOf(secondPid());
      process.kill(bootstrap, "SIGINT");
      byNpm.kill("SIGKILL");
      await until(() => !isAlive(secondPid()));
      expect(checkout.log().slice(4)).toEqual(["SIGINT"]);
    });
  });

  it("goes on when the shell that started npm in the background has ended", async () => {
    const shell = spawn("sh", ["-c", "npm run --silent start & echo $!"], {
      cwd: checkout.root,
      env: { PATH: process.env.PATH, HOME: process.env.HOME, FAKE_ROOT: checkout.root },
      stdio: ["ignore", "pipe", "ignore"],
    });
    const [npm] = (await once(shell.stdout, "data")) as [Buffer];
    await until(() => checkout.log().length === 4 && shell.exitCode !== null);
    const pid = Number(checkout.log()[3]?.split(" ")[1]);
    // Longer than it takes to find out that npm is gone.
    await delay(1_500);
    expect(isAlive(pid)).toBe(true);
    process.kill(Number(npm), "SIGTERM");
    await until(() => !isAlive(pid));
    started.kill("SIGTERM");
  });
});

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

function parentOf(pid: number): number {
  return Number(/^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
}
