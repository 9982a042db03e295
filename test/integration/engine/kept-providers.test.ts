import { mkdtempSync, rmSync, symlinkSync } from "node:fs";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { obtainEngine, type Engine } from "../../../engine/obtain";
import { checkout } from "../../../engine/places";
import { keepProviders, type KeptProviders } from "../../../engine/providers/kept-providers";
import { attach } from "../../../engine/plugin-process";
import { eventually } from "../../support/killable-service";

let engine: Engine;
let kept: KeptProviders;
const all: KeptProviders[] = [];
const said: string[] = [];

beforeAll(async () => {
  engine = await obtainEngine(() => undefined);
});
beforeEach(() => {
  said.length = 0;
  kept = keep(engine);
});
afterEach(async () => {
  await Promise.all(all.splice(0).map((each) => each.stop()));
});

function keep(pieces: Pick<Engine, "pieces">, cwd = checkout): KeptProviders {
  const made = keepProviders({
    engine: pieces,
    env: { ...process.env, ...engine.env },
    cwd,
    hangsAfter: 500,
    report: (line) => said.push(line),
  });
  all.push(made);
  return made;
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
  const linked = keep(engine, cwd);
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

test("a provider that cannot be started is told of, and runs go on without it", async () => {
  const pieces = engine.pieces.map((piece) =>
    piece.name === "postgresql plugin" ? { ...piece, path: "/nowhere/plugin" } : piece,
  );
  const broken = keep({ pieces });
  expect(await eventually(() => broken.trouble())).toMatch(/^provider postgresql .*ENOENT/);
  const attached = async () => (await broken.lease()).attach;
  expect(await eventually(async () => (await attached()) || undefined)).toMatch(
    /^pulumi-nodejs:\d+$/,
  );
  expect(said.join()).toContain("provider postgresql");
});

test("stopping ends them, also while one is being started", async () => {
  const early = keep(engine);
  await early.stop();
  const late = keep(engine);
  const { attach: list } = await late.lease(15_000);
  await late.stop();
  await delay(50);
  await expect(attach(portOf(list, "postgresql"))).rejects.toThrow(/UNAVAILABLE/);
});
