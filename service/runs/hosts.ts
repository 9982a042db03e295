import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { pool, type Pool } from "workerpool";
import type { TenantDeclaration } from "../../program/stack";
import type { EngineRuns, RunOutcome, StepEvent } from "./engine-runs";
import { outcomeOfEnd } from "./host-end";
import { endFollowers } from "./processes";
import { killGroup, RunningHosts } from "./running-hosts";
import { tryCli } from "./trial";
import { makeWorkDir } from "./work-dir";

/** What the program hosts are started with. */
export interface HostSettings {
  /** Absolute path of the CLI. */
  readonly pulumi: string;
  /** The environment of every host, and so of the CLI and its plugins. */
  readonly env: NodeJS.ProcessEnv;
  /** What a host runs; a test gives one that misbehaves. */
  readonly program?: string;
  /** How many hosts there are. The caller starts no more runs at once. */
  readonly size: number;
  /** After how many runs of each the hosts are replaced: an inline run leaves 0.3 MB behind. */
  readonly runsEach?: number;
  /** After how many ms a run counts as hung and is killed. */
  readonly timeout?: number;
  /** What a host's program may have at most, in MB. */
  readonly memory?: number;
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

  async function run(
    tenant: TenantDeclaration,
    onStep: (event: StepEvent) => void,
  ): Promise<RunOutcome> {
    // Every host may have died idle, and the pool finds that out by giving it a run.
    for (let tries = settings.size; tries >= 0 && !closed; tries--) {
      const attempt = { timeout, runningHosts, onStep };
      const outcome = await attemptRun(freshHosts(), tenant, attempt);
      if (outcome !== "not begun") return outcome;
    }
    // A pool that has ended would keep the run for ever.
    return closed
      ? { result: "interrupted", faults: ["the service ended"] }
      : { result: "failed", faults: ["no program host starts"] };
  }

  return {
    run(tenant, onStep = () => undefined) {
      const work = run(tenant, onStep);
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

interface Attempt {
  readonly timeout: number;
  readonly runningHosts: RunningHosts;
  readonly onStep: (event: StepEvent) => void;
}

async function attemptRun(
  hosts: Pool,
  tenant: TenantDeclaration,
  { timeout, runningHosts, onStep }: Attempt,
): Promise<RunOutcome | "not begun"> {
  let host: number | undefined;
  let complaint = "";
  let limit: NodeJS.Timeout | undefined;
  const seen: { late: boolean } = { late: false };
  // The pool's own time limit takes a host that does not answer for one that is free again.
  const stopLateRun = (leader: number) => {
    seen.late = true;
    killGroup(leader);
  };
  const on = (event: { begun?: number; step?: StepEvent; stderr?: string }) => {
    if (event.step !== undefined) onStep(event.step);
    if (event.begun !== undefined) {
      runningHosts.add((host = event.begun));
      limit = setTimeout(stopLateRun, timeout, host);
    }
    if (event.stderr !== undefined) complaint = (complaint + event.stderr).slice(-1_000);
  };
  try {
    const outcome: unknown = await hosts.exec("upTenant", [tenant], { on });
    return outcome as RunOutcome;
  } catch (error) {
    if (host === undefined) return "not begun";
    // The host is replaced by the pool.
    killGroup(host);
    if (seen.late)
      return { result: "failed", faults: [`the run took longer than ${timeout / 1_000} s`] };
    return outcomeOfEnd(error, complaint);
  } finally {
    clearTimeout(limit);
    if (host !== undefined) {
      runningHosts.delete(host);
      // What outlives its run works for nobody: a plugin, or dbmate, whose CLI was killed.
      endFollowers(host);
    }
  }
}

function warmHosts({ env, size, memory = 512, program }: HostSettings, root: string): Pool {
  return pool(program ?? path.join(__dirname, "host.js"), {
    workerType: "process",
    minWorkers: size,
    maxWorkers: size,
    emitStdStreams: true,
    // A group of its own: Ctrl-C in a terminal must not reach the running set-ups.
    onCreateWorker: () => ({
      forkOpts: {
        env,
        cwd: makeWorkDir(root),
        detached: true,
        execArgv: [`--max-old-space-size=${memory}`],
      },
    }),
    onTerminateWorker: ({ forkOpts }) => {
      rmSync((forkOpts as { cwd: string }).cwd, { recursive: true, force: true });
    },
  });
}
