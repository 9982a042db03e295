import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { pool, type Pool } from "workerpool";
import type { TenantDeclaration } from "../../program/stack";
import type { EngineRuns, RunOutcome } from "./engine-runs";
import { killGroup, RunningHosts } from "./running-hosts";
import { tryCli } from "./trial";
import { makeWorkDir } from "./work-dir";

/** What the program hosts are started with. */
export interface HostSettings {
  /** Absolute path of the CLI. */
  readonly pulumi: string;
  /** The environment of every host, and so of the CLI and its plugins. */
  readonly env: NodeJS.ProcessEnv;
  /** How many hosts there are. The caller starts no more runs at once. */
  readonly size: number;
  /** After how many runs of each the hosts are replaced: an inline run leaves 0.3 MB behind. */
  readonly runsEach?: number;
  /** After how many ms a run counts as hung and is killed. */
  readonly timeout?: number;
}

/**
 * Starts the program hosts: forked processes, because one stray rejection fails all the inline
 * programs of a process, and because worker threads hang in them.
 */
export function startHosts(settings: HostSettings): EngineRuns {
  const { runsEach = 200, timeout = 10 * 60_000 } = settings;
  const root = mkdtempSync(path.join(tmpdir(), "pulumi-tenant-"));
  const runningHosts = new RunningHosts();
  const running = new Set<Promise<RunOutcome>>();
  const retired: ReturnType<Pool["terminate"]>[] = [];
  let hosts = warmHosts(settings, root);
  let runsLeft = runsEach * settings.size;
  let closed = false;

  function freshHosts(): Pool {
    if (runsLeft-- > 0) return hosts;
    retired.push(hosts.terminate());
    hosts = warmHosts(settings, root);
    runsLeft = runsEach * settings.size;
    return hosts;
  }

  async function run(tenant: TenantDeclaration): Promise<RunOutcome> {
    // Every host may have died idle, and the pool finds that out by giving it a run.
    for (let tries = settings.size; tries >= 0 && !closed; tries--) {
      const outcome = await attemptRun(freshHosts(), tenant, timeout, runningHosts);
      if (outcome !== "not begun") return outcome;
    }
    // A pool that has ended would keep the run for ever.
    return { result: "failed", faults: [closed ? "the service ended" : "no program host starts"] };
  }

  return {
    run(tenant) {
      const work = run(tenant);
      running.add(work);
      void work.finally(() => running.delete(work));
      return work;
    },
    tryEngine: () => tryCli(settings.pulumi, settings.env, root),
    async close(when) {
      if (when === "now") {
        closed = true;
        runningHosts.kill();
      }
      await Promise.all(running);
      closed = true;
      retired.push(hosts.terminate());
      // A host that died idle never tells that it has ended.
      await Promise.race([Promise.all(retired), delay(PATIENCE, undefined, { ref: false })]);
      rmSync(root, { recursive: true, force: true });
    },
  };
}

/** How long hosts that have nothing to do may take to end, in ms. */
const PATIENCE = 2_000;

async function attemptRun(
  hosts: Pool,
  tenant: TenantDeclaration,
  timeout: number,
  runningHosts: RunningHosts,
): Promise<RunOutcome | "not begun"> {
  let host: number | undefined;
  let complaint = "";
  const on = (event: { begun?: number; stderr?: string }) => {
    if (event.begun !== undefined) runningHosts.add((host = event.begun));
    if (event.stderr !== undefined) complaint = (complaint + event.stderr).slice(-1_000);
  };
  try {
    const outcome: unknown = await hosts.exec("upTenant", [tenant], { on }).timeout(timeout);
    return outcome as RunOutcome;
  } catch (error) {
    if (host === undefined) return "not begun";
    // The CLI that it started has nobody left to report to.
    killGroup(host);
    return { result: "failed", faults: [`the program host ended: ${endOf(error)} ${complaint}`] };
  } finally {
    if (host !== undefined) runningHosts.delete(host);
  }
}

/** How a host ended, without the paths and the object dumps that workerpool adds. */
function endOf(error: unknown): string {
  const lines = (error instanceof Error ? error.message : String(error)).split("\n");
  return lines
    .slice(0, 3)
    .map((line) => line.trim())
    .join(" ");
}

function warmHosts({ env, size }: HostSettings, root: string): Pool {
  return pool(path.join(__dirname, "host.js"), {
    workerType: "process",
    minWorkers: size,
    maxWorkers: size,
    emitStdStreams: true,
    // A group of its own: Ctrl-C in a terminal must not reach the running set-ups.
    onCreateWorker: () => ({ forkOpts: { env, cwd: makeWorkDir(root), detached: true } }),
    onTerminateWorker: ({ forkOpts }) => {
      rmSync((forkOpts as { cwd: string }).cwd, { recursive: true, force: true });
    },
  });
}
