import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { obtainEngine, type Engine } from "../../../engine/obtain/obtain";
import { checkout } from "../../../engine/obtain/places";
import {
  keepProviders,
  type KeptProviders,
  type ProviderLease,
} from "../../../engine/providers/kept-providers";
import type { WearLimits } from "../../../engine/providers/wear";
import { attach } from "../../../engine/system/plugin-client";
import { eventually } from "../../support/killable-service";

// A postgresql plugin that grows by 2 MB with each engine that attaches to it.

let engine: Engine;
let kept: KeptProviders | undefined;
const said: string[] = [];

beforeAll(async () => {
  engine = await obtainEngine(() => undefined);
});
afterEach(async () => {
  await kept?.stop();
  said.length = 0;
});

function keep(wear: WearLimits): KeptProviders {
  const env = { ...process.env, ...engine.env };
  const hoarding = path.resolve(__dirname, "../../support/hoarding-attach.js");
  kept = keepProviders({
    ...{ engine, cwd: checkout, code: [], wear, report: (line) => said.push(line) },
    env: {
      postgresql: { ...env, NODE_OPTIONS: `--require ${JSON.stringify(hoarding)}` },
      "pulumi-nodejs": env,
    },
  });
  return kept;
}

const portOf = ({ attach: list }: ProviderLease) => Number(/postgresql:(\d+)/.exec(list)?.[1]);

/** The plugins that this process runs, and the memory of each in MB. */
function plugins(): { pid: number; memoryMb: number }[] {
  return readdirSync("/proc").flatMap((name) => {
    try {
      const status = readFileSync(`/proc/${name}/status`, "utf8");
      const command = readFileSync(`/proc/${name}/cmdline`, "utf8");
      if (!status.includes(`\nPPid:\t${process.pid}\n`) || !command.includes("postgresql/main"))
        return [];
      const memoryMb = Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]) / 1_024;
      return [{ pid: Number(name), memoryMb }];
    } catch {
      return []; // It ended.
    }
  });
}

/** One engine run after another; tells the most memory that a plugin had, and how many there were. */
async function serve(providers: KeptProviders, runs: number) {
  const seen = new Set<number>();
  let mostMb = 0;
  for (let run = 0; run < runs; run++) {
    const lease = await providers.lease(15_000);
    await attach(portOf(lease));
    expect(lease.isFresh()).toBe(true);
    for (const { pid, memoryMb } of plugins()) {
      seen.add(pid);
      mostMb = Math.max(mostMb, memoryMb);
    }
    lease.release();
  }
  return { processes: seen.size, mostMb };
}

test("a provider that grows is replaced before it is large, and no run notices", async () => {
  const providers = keep({ leases: Infinity, growthMb: 60 });
  const before = await serve(providers, 1);
  // Each of them would leave 300 MB in one process.
  const after = await serve(providers, 150);
  expect(after.processes).toBeGreaterThan(2);
  // What comes while the successor starts is its to hold still.
  expect(after.mostMb).toBeLessThan(before.mostMb + 200);
  await eventually(() => plugins().length === 1 || undefined);
  expect(said).toEqual([]);
});

test("a run that has the old process keeps it to its end, and the old one ends then", async () => {
  const providers = keep({ leases: 2, growthMb: Infinity });
  const long = await providers.lease(15_000);
  const [old] = plugins();
  const second = await providers.lease();
  expect(portOf(second)).toBe(portOf(long));
  second.release();
  await eventually(() => long.isRelieved() || undefined);
  const next = await providers.lease();
  expect(portOf(next)).not.toBe(portOf(long));
  expect([next.isRelieved(), next.isFresh(), long.isFresh()]).toEqual([false, true, true]);
  await attach(portOf(long));
  expect(plugins()).toHaveLength(2);
  long.release();
  await eventually(() => plugins().every(({ pid }) => pid !== old?.pid) || undefined);
  await attach(portOf(next));
  expect(said).toEqual([]);
});

test("an old process that dies takes its runs with it, and nobody else's", async () => {
  const providers = keep({ leases: 1, growthMb: Infinity });
  const long = await providers.lease(15_000);
  const [old] = plugins();
  await eventually(() => long.isRelieved() || undefined);
  const next = await providers.lease();
  process.kill(old?.pid ?? 0, "SIGKILL");
  await eventually(() => !long.isFresh() || undefined);
  expect(next.isFresh()).toBe(true);
  await attach(portOf(next));
  expect(said).toEqual([]);
});
