import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { obtainEngine, type Engine } from "../../../engine/obtain/obtain";
import type { PieceName } from "../../../engine/obtain/piece";
import { checkout } from "../../../engine/obtain/places";
import {
  keepProviders,
  type KeptProviders,
  type KeptProvidersSettings,
} from "../../../engine/providers/kept-providers";
import { endWhenHanging, startProvider } from "../../../engine/providers/provider-process";
import { attach } from "../../../engine/system/plugin-client";
import { eventually } from "../../support/killable-service";

let engine: Engine;
let kept: KeptProviders;
const all: KeptProviders[] = [];
const said: string[] = [];
const folder = mkdtempSync(path.join(tmpdir(), "kept-providers-"));

beforeAll(async () => {
  engine = await obtainEngine(() => undefined);
});
beforeEach(() => {
  said.length = 0;
  kept = keep();
});
afterEach(async () => {
  await Promise.all(all.splice(0).map((each) => each.stop()));
});
afterAll(() => rmSync(folder, { recursive: true }));

function keep(changes: Partial<KeptProvidersSettings> = {}): KeptProviders {
  const env = { ...process.env, ...engine.env };
  const made = keepProviders({
    ...{ engine, cwd: checkout, code: [], hangTimeoutMs: 500 },
    env: { postgresql: env, "pulumi-nodejs": env },
    report: (line) => said.push(line),
    ...changes,
  });
  all.push(made);
  return made;
}

/** The engine with another executable in the place of one of its pieces. */
const withPiece = (name: PieceName, executable: string): Pick<Engine, "pieces"> => ({
  pieces: engine.pieces.map((piece) =>
    piece.name === name ? { ...piece, path: executable } : piece,
  ),
});

function script(name: string, body: string): string {
  const file = path.join(folder, name);
  writeFileSync(file, `#!/bin/sh\n${body}\n`);
  chmodSync(file, 0o755);
  return file;
}

const portOf = (list: string, name: string) => Number(new RegExp(`${name}:(\\d+)`).exec(list)?.[1]);

test("both providers let engines attach to them", async () => {
  const lease = await kept.lease(15_000);
  expect(lease.attach).toMatch(/^postgresql:\d+,pulumi-nodejs:\d+$/);
  await attach(portOf(lease.attach, "postgresql"));
  await attach(portOf(lease.attach, "pulumi-nodejs"));
  expect(kept.trouble()).toBeUndefined();
});

test("they do also where the modules are behind a symbolic link", async () => {
  // Beside what it links to: https://github.com/nodejs/node/issues/51142
  const cwd = mkdtempSync(path.join(checkout, ".engine", "linked-"));
  symlinkSync(path.join(checkout, "node_modules"), path.join(cwd, "node_modules"));
  const linked = keep({ cwd });
  const lease = await linked.lease(15_000);
  expect(lease.attach).toMatch(/^postgresql:\d+,pulumi-nodejs:\d+$/);
  expect(linked.trouble()).toBeUndefined();
  rmSync(cwd, { recursive: true });
});

test("work that was abandoned ends with its provider, and other runs keep theirs to their end", async () => {
  const hung = await kept.lease(15_000);
  const other = await kept.lease();
  const port = portOf(hung.attach, "pulumi-nodejs");
  hung.release(true);
  expect(other.isFresh()).toBe(false);
  const next = await kept.lease(15_000);
  expect(next.isFresh()).toBe(true);
  expect(portOf(next.attach, "pulumi-nodejs")).not.toBe(port);
  await attach(port);
  other.release();
  await expect(eventually(() => attach(port).then(() => undefined))).rejects.toThrow(/UNAVAILABLE/);
});

test("a provider that hangs is ended, not one whose answer came while this process was held up", async () => {
  const command = engine.pieces.find(({ name }) => name === "postgresql plugin")?.path ?? "";
  const provider = await startProvider(
    { name: "postgresql", command, args: [], env: process.env, cwd: checkout },
    { startTimeoutMs: 15_000, signal: new AbortController().signal },
  );
  void endWhenHanging(provider, 500);
  process.kill(-provider.pid, "SIGSTOP");
  // It was asked after 500 ms, and has as long again.
  await delay(700);
  process.kill(-provider.pid, "SIGCONT");
  const heldUntil = performance.now() + 2_000;
  while (performance.now() < heldUntil);
  const runs = delay(400).then(() => "runs");
  expect(await Promise.race([provider.ended, runs])).toBe("runs");
  process.kill(-provider.pid, "SIGSTOP");
  expect(await provider.ended).toContain("SIGKILL");
});

test("a provider that cannot be started is told of, and runs go on without it", async () => {
  const broken = keep({ engine: withPiece("postgresql plugin", "/nowhere/plugin") });
  expect(await eventually(() => broken.trouble())).toMatch(/^provider postgresql .*ENOENT/);
  const attached = async () => (await broken.lease()).attach;
  expect(await eventually(async () => (await attached()) || undefined)).toMatch(
    /^pulumi-nodejs:\d+$/,
  );
  expect(said.join()).toContain("provider postgresql");
});

test("stopping ends them, also while one is being started", async () => {
  const early = keep();
  await early.stop();
  const late = keep();
  const { attach: list } = await late.lease(15_000);
  await late.stop();
  await delay(50);
  await expect(attach(portOf(list, "postgresql"))).rejects.toThrow(/UNAVAILABLE/);
});

test("the dynamic provider is kept also where the launcher is the official one", async () => {
  // It starts one node to find the program, in $(…), and another one to run it.
  // https://github.com/pulumi/pulumi/blob/v3.246.0/sdk/nodejs/dist/pulumi-resource-pulumi-nodejs
  const launcher = script(
    "pulumi-resource-pulumi-nodejs",
    `program=$(node -e "console.log(require.resolve('@pulumi/pulumi/cmd/dynamic-provider'))")
exec node "$program" "$@"`,
  );
  const official = keep({ engine: withPiece("dynamic provider", launcher) });
  const { attach: list } = await official.lease(15_000);
  await attach(portOf(list, "pulumi-nodejs"));
});

describe("while one provider does not start,", () => {
  const started = path.join(folder, "started");
  const endless = (startTimeoutMs: number) =>
    keep({
      engine: withPiece("postgresql plugin", script("endless", `: > "${started}"; exec sleep 600`)),
      startTimeoutMs,
    });

  test("a lease holds the other one, is as good as any, and is not waited for", async () => {
    // The other one starts within that also on a busy machine.
    const half = endless(10_000);
    const early = await half.lease(30_000);
    expect(half.trouble()).toBe("provider postgresql names no port in 10 s");
    const began = performance.now();
    const late = await half.lease(30_000);
    expect(performance.now() - began).toBeLessThan(5_000);
    for (const lease of [early, late]) {
      expect(lease.attach).toMatch(/^pulumi-nodejs:\d+$/);
      expect(lease.isFresh()).toBe(true);
    }
  });

  test("stopping does not wait for it", async () => {
    rmSync(started, { force: true });
    const half = endless(60_000);
    await eventually(() => existsSync(started) || undefined);
    const began = performance.now();
    await half.stop();
    expect(performance.now() - began).toBeLessThan(2_000);
  });

  test("it is complained of once, however often it is tried again", async () => {
    const attempts = path.join(folder, "attempts");
    const broken = script("broken", `echo again >> "${attempts}"\necho "no license" >&2; exit 3`);
    keep({ engine: withPiece("postgresql plugin", broken) });
    await eventually(() => {
      const made = existsSync(attempts) ? readFileSync(attempts, "utf8").split("\n").length : 0;
      return made > 3 || undefined;
    });
    expect(said).toEqual(["provider postgresql ended with 3 no license"]);
  });
});
