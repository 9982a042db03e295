import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import type { RunOutcome } from "../../../service/pulumi/engine-runs";
import { HostProcess } from "../../../service/pulumi/host-process";

const root = mkdtempSync(path.join(tmpdir(), "hosts-"));
const hosts = Array.from(
  { length: 3 },
  () =>
    new HostProcess(
      {
        env: process.env,
        timeoutMs: 10_000,
        beginTimeoutMs: 4_000,
        memoryMb: 64,
        program: path.resolve(__dirname, "../../support/misbehaving-host.js"),
      },
      root,
    ),
);
afterAll(async () => {
  for (const host of hosts) host.kill();
  await Promise.all(hosts.map((host) => host.end()));
  rmSync(root, { recursive: true });
});

const begin = (host: HostProcess | undefined) =>
  host?.begin({ stack: "any", settings: null, refresh: false, attach: "" });

async function finish(
  host: HostProcess | undefined,
  does: string,
): Promise<RunOutcome | undefined> {
  const request = { tenantId: does, tenants: [], mayDelete: [] } as const;
  return (await host?.finish(request))?.outcome;
}

async function run(host: HostProcess | undefined, does: string): Promise<RunOutcome | undefined> {
  await begin(host);
  return finish(host, does);
}

describe("a run that misbehaves fails alone, one that", () => {
  test.each([
    ["rejects", "failed", "nobody awaits this"],
    ["loops", "failed", "longer than 10 s"],
    ["hangs", "failed", "longer than 10 s"],
    ["eats", "failed", "more memory than"],
    ["dies", "interrupted", "the program host ended"],
  ])("%s", async (does, result, fault) => {
    const all = [does, "behaves", "behaves"];
    const [bad, ...good] = await Promise.all(all.map((what, i) => run(hosts[i], what)));
    expect(bad).toMatchObject({ result, faults: [expect.stringContaining(fault)] });
    expect(good).toEqual([{ result: "succeeded" }, { result: "succeeded" }]);
    // And each host takes the next run.
    const after = await Promise.all(hosts.map((host) => run(host, "behaves")));
    expect(after.map((outcome) => outcome?.result)).toEqual(Array(3).fill("succeeded"));
  });
});

test("tells whether the program had got its tenants, and so may have changed something", async () => {
  const ends = [];
  for (const tenantId of ["behaves", "never arrives"]) {
    await begin(hosts[0]);
    ends.push(await hosts[0]?.finish({ tenantId, tenants: [], mayDelete: [] }));
  }
  expect(ends).toMatchObject([{ reached: true }, { reached: false }]);
});

test("a run that waits for a host which dies begins in another", async () => {
  const [host] = hosts;
  await begin(host);
  const dying = finish(host, "dies");
  const waiting = begin(host);
  expect(await dying).toMatchObject({ result: "interrupted" });
  await waiting;
  expect(await finish(host, "behaves")).toEqual({ result: "succeeded" });
});
