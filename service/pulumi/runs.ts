import { setTimeout as delay } from "node:timers/promises";
import type { Logger } from "pino";
import type { KeptProviders } from "../../engine/providers/kept-providers";
import { stackCli } from "./stack-cli";
import type { StackRow, Stacks } from "./stacks/stacks";
import { StackUpkeep } from "./stack-upkeep";
import type { EngineRuns, RunOutcome, RunRequest } from "./engine-runs";
import { lastWords } from "./events";
import { HostProcess, type HostSettings } from "./host-process";
import { LeasedRun } from "./leased-run";
import { PrestartedRuns } from "./prestarted-runs";
import { tryCli } from "./cli";
import type { StepEvent } from "./steps";
import type { EngineOptions } from "../config/engine-options";
import { makeWorkDir } from "./work-dir";

/** What engine runs need. */
export interface RunsSettings extends HostSettings {
  /** Absolute path of the CLI. */
  readonly pulumi: string;
  /** The folder in which hosts get their working folders. The caller removes it after `close`. */
  readonly root: string;
  /** How many runs there may be at once. The caller must not start more. */
  readonly size: number;
  readonly engineOptions: Pick<EngineOptions, "prestartedRuns" | "spareStacks">;
  readonly stacks: Stacks;
  /** Undefined to have each engine start its own providers. */
  readonly providers: KeptProviders | undefined;
  readonly log: Logger;
}

/** How often the upkeep checks whether there is something to do. */
const UPKEEP_INTERVAL_MS = 1_000;

/** How long idle hosts may take to end. */
const IDLE_HOSTS_END_MS = 2_000;

/** Starts the program hosts. Runs are begun ahead, and spare stacks made, from `startAhead` on. */
export function startRuns(settings: RunsSettings): EngineRuns {
  const { pulumi, env, root, size, engineOptions, stacks, providers, log } = settings;
  const hosts = Array.from(
    { length: size + engineOptions.prestartedRuns },
    () => new HostProcess(settings, root),
  );
  const idle = [...hosts];
  const giveHost = (host: HostProcess) => void idle.push(host);
  const running = new Set<Promise<RunOutcome>>();
  const closing = new AbortController();
  const { signal } = closing;
  const hurry = new AbortController();
  const cli = stackCli({ pulumi, env, cwd: makeWorkDir(root), signal: hurry.signal });
  const prestarted = new PrestartedRuns({
    ...{ count: engineOptions.prestartedRuns, providers, stacks, giveHost },
    takeHost: () => (running.size < size ? idle.shift() : undefined),
  });
  const spares = new StackUpkeep({
    count: engineOptions.spareStacks + engineOptions.prestartedRuns,
    stacks,
    cli,
    log,
  });
  let upkeep: Promise<void> | undefined;

  async function run(request: RunRequest, onStep: (event: StepEvent) => void): Promise<RunOutcome> {
    if (signal.aborted) return ended;
    const { tenantId } = request;
    let known = await stacks.find(tenantId);
    if (known === undefined) {
      const end = await prestarted.use(request, onStep);
      if (end !== undefined) return end.outcome;
      known = await stacks.find(tenantId);
    }
    if (known !== undefined) return runOn(known, request, onStep, true);
    const stack = (await stacks.takeSpare(tenantId)) ?? (await stacks.takeNew(tenantId));
    return runOn(stack, request, onStep, false);
  }

  async function runOn(
    stack: StackRow,
    request: RunRequest,
    onStep: (event: StepEvent) => void,
    refresh: boolean,
  ): Promise<RunOutcome> {
    const up = ({ name, settings }: StackRow) =>
      upTenant({ stack: name, settings, refresh }, request, onStep);
    if (stack.settings !== null) {
      const outcome = await up(stack);
      if (outcome.result === "no state" && (await emptied(stack.name))) return up(stack);
      if (outcome.result !== "no stack") return outcome;
    }
    // The stack was never made, or the backend has lost it.
    const made = await makeStack(stack.name);
    const outcome = await up(made);
    if (outcome.result !== "no stack" || made.fault === undefined) return outcome;
    if (!made.fault.includes("is currently locked")) return noEngine(made.fault);
    // A CLI that was killed while it made the stack left a lock, and nobody can make a stack of that name again.
    const other = await makeStack(await stacks.rename(stack.name));
    return other.fault === undefined ? up(other) : noEngine(other.fault);
  }

  /** Gives the stack an empty state. @returns whether that succeeded. */
  const emptied = (name: string) =>
    cli.empty(name).then(
      () => true,
      () => false,
    );

  /** Makes the stack. A fault is returned and not thrown: mostly the stack exists already, and can be run. */
  async function makeStack(name: string): Promise<StackRow & { fault?: string }> {
    try {
      const settings = await cli.make(name);
      await stacks.keepSettings(name, settings);
      return { name, settings };
    } catch (error) {
      return { name, settings: null, fault: lastWords(error) };
    }
  }

  async function upTenant(
    start: { stack: string; settings: string | null; refresh: boolean },
    request: RunRequest,
    onStep: (event: StepEvent) => void,
  ): Promise<RunOutcome> {
    const host = idle.shift();
    if (host === undefined || signal.aborted) return ended;
    const begun = await LeasedRun.begin({ host, giveHost, providers }, start).catch(lastWords);
    if (typeof begun === "string") return noEngine(`no program host starts: ${begun}`);
    const { outcome, reached, late } = await begun.finish(request, onStep);
    return outcome.result === "failed" && !reached && !late
      ? { ...outcome, result: "no engine" }
      : outcome;
  }

  /** Keeps enough runs and stacks ahead. Errors are ignored: operations work without them, and it tries again. */
  async function keepUp(): Promise<void> {
    while (!signal.aborted) {
      await prestarted.keepUp().catch(() => undefined);
      const more = running.size < size && (await spares.step().catch(() => false));
      if (!more) await delay(UPKEEP_INTERVAL_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  return {
    run(request, onStep = () => undefined) {
      const work = run(request, onStep);
      running.add(work);
      const settled = () => {
        running.delete(work);
        if (upkeep !== undefined) void prestarted.keepUp().catch(() => undefined);
      };
      work.then(settled, settled);
      return work;
    },
    startAhead() {
      upkeep ??= keepUp();
    },
    tryEngine: () => tryCli(pulumi, env, root),
    async close(when) {
      if (when === "now") {
        closing.abort();
        hurry.abort();
        for (const host of hosts) host.kill();
      }
      await Promise.allSettled(running);
      closing.abort();
      await prestarted.close(when);
      await upkeep;
      // The end of a host that died while it was idle is never reported, so the wait has a limit.
      const ending = Promise.all(hosts.map((host) => host.end()));
      await Promise.race([ending, delay(IDLE_HOSTS_END_MS, undefined, { ref: false })]);
    },
  };
}

const noEngine = (fault: string): RunOutcome => ({ result: "no engine", faults: [fault] });

const ended: RunOutcome = { result: "interrupted", faults: ["the service ended"] };
