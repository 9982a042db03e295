import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Engine } from "../obtain";
import type { PieceName } from "../piece";
import {
  endWhenHanging,
  startProvider,
  type ProviderCommand,
  type ProviderProcess,
} from "./provider-process";

/** How long a run waits for a provider that is being started, in ms. Then the engine starts its own. */
const PATIENCE = 2_000;

/** Providers that are kept running, for any number of engines to attach to. */
export interface KeptProviders {
  /**
   * Those that run, for one engine run.
   *
   * @param patience How long to wait for one that is being started, in ms. Default: 2,000.
   */
  readonly lease: (patience?: number) => Promise<ProviderLease>;
  /** What keeps a provider from running; undefined while all of them run. */
  readonly trouble: () => string | undefined;
  /** Ends all of them, whatever they do. */
  readonly stop: () => Promise<void>;
}

/** The providers of one engine run. */
export interface ProviderLease {
  /** The value of PULUMI_DEBUG_PROVIDERS; one that does not run is not in it. */
  readonly attach: string;
  /** Whether all of them still run. */
  readonly isFresh: () => boolean;
  /**
   * Tells that the run is over.
   *
   * @param abandoned Whether it left work behind that nobody waits for. No further run gets these
   * providers then, and they end, with that work, when the runs that have them are over.
   */
  readonly release: (abandoned?: boolean) => void;
}

/** What providers are kept with. */
export interface KeptProvidersSettings {
  readonly engine: Pick<Engine, "pieces">;
  /** Their whole environment. */
  readonly env: NodeJS.ProcessEnv;
  /** Where the dynamic provider finds the modules that its resources name. */
  readonly cwd: string;
  /** After how many ms a provider that does not answer counts as hung. */
  readonly hangsAfter?: number;
  readonly report: (line: string) => void;
}

/** Starts each provider, and starts it again when it ends or hangs, for as long as it takes. */
export function keepProviders(settings: KeptProvidersSettings): KeptProviders {
  const { hangsAfter = 5_000, report } = settings;
  const kept = commands(settings).map((command) => new Kept(command, hangsAfter, report));
  return {
    async lease(patience = PATIENCE) {
      const found = await Promise.all(kept.map((provider) => provider.running(patience)));
      const leased = found.filter((provider) => provider !== undefined);
      for (const { users } of leased) users.add(leased);
      return {
        attach: leased.map(({ process: { name, port } }) => `${name}:${port}`).join(","),
        isFresh: () => leased.length === kept.length && leased.every(({ isFresh }) => isFresh()),
        release(abandoned = false) {
          for (const { users, retire, endUnused } of leased) {
            users.delete(leased);
            if (abandoned) retire();
            endUnused();
          }
        },
      };
    },
    trouble: () => kept.find(({ fault }) => fault !== undefined)?.fault,
    stop: async () => {
      await Promise.all(kept.map((provider) => provider.stop()));
    },
  };
}

function commands({ engine, env, cwd }: KeptProvidersSettings): ProviderCommand[] {
  const path = (name: PieceName) => engine.pieces.find((piece) => piece.name === name)?.path ?? "";
  const options = [env.NODE_OPTIONS, `--require=${join(__dirname, "attachable.js")}`];
  return [
    { name: "postgresql", command: path("postgresql plugin"), args: [], env, cwd },
    {
      name: "pulumi-nodejs",
      command: path("dynamic provider"),
      // An engine's address, which it insists on and never uses.
      args: ["127.0.0.1:1"],
      env: { ...env, NODE_OPTIONS: options.filter(Boolean).join(" ") },
      cwd,
    },
  ];
}

interface Running {
  readonly process: ProviderProcess;
  /** The runs that have it. */
  readonly users: Set<unknown>;
  readonly isFresh: () => boolean;
  readonly retire: () => void;
  readonly endUnused: () => void;
}

/** One provider, whichever process serves it just now. */
class Kept {
  fault: string | undefined;
  private current: Promise<Running | undefined>;
  private readonly processes = new Set<ProviderProcess>();
  private readonly stopping = new AbortController();

  constructor(
    private readonly command: ProviderCommand,
    private readonly hangsAfter: number,
    private readonly report: (line: string) => void,
  ) {
    this.current = this.start(0);
  }

  /** Undefined when there is none within the given ms. */
  running(patience: number): Promise<Running | undefined> {
    // One that did not start is tried again, for long perhaps.
    const wait = this.fault === undefined ? patience : 0;
    return Promise.race([this.current, delay(wait, undefined, { ref: false })]);
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    await this.current;
    for (const { end } of this.processes) end();
    await Promise.all([...this.processes].map(({ ended }) => ended));
  }

  /** @param pause How long it is left alone first, in ms. */
  private async start(pause: number): Promise<Running | undefined> {
    const { signal } = this.stopping;
    await delay(pause, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) return undefined;
    const began = performance.now();
    try {
      const process = await startProvider(this.command);
      this.processes.add(process);
      this.fault = undefined;
      void endWhenHanging(process, this.hangsAfter);
      return this.watch(process, began, pause);
    } catch (error) {
      this.fault = `provider ${this.command.name} ${error instanceof Error ? error.message : String(error)}`;
      this.report(this.fault);
      return this.start(longer(pause));
    }
  }

  private watch(process: ProviderProcess, began: number, pause: number): Running {
    let fresh = true;
    const users = new Set<unknown>();
    const replace = (after: number) => {
      if (!fresh) return;
      fresh = false;
      this.current = this.start(after);
    };
    const endUnused = () => {
      if (!fresh && users.size === 0) process.end();
    };
    void process.ended.then((words) => {
      this.processes.delete(process);
      if (!fresh || this.stopping.signal.aborted) return;
      this.report(`provider ${process.name} ${words}: it is started again`);
      // One that ends as soon as it runs must not take all of the machine.
      replace(performance.now() - began > 10_000 ? 0 : longer(pause));
    });
    return { process, users, isFresh: () => fresh, retire: () => replace(0), endUnused };
  }
}

function longer(pause: number): number {
  return Math.min(Math.max(pause * 2, 100), 5_000);
}
