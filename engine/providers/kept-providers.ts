import { join } from "node:path";
import type { Engine } from "../obtain/obtain";
import { canTellUsers } from "../system/connection-owner";
import { KeptProvider, type KeepingOptions } from "./kept-provider";
import type { ProviderCommand } from "./provider-process";
import { defaultWearLimits } from "./wear";

/** How long a run waits for a provider that is just being started. After that its engine starts one itself. */
const LEASE_TIMEOUT_MS = 2_000;

/** Providers that are kept running, for any number of engines to attach to. */
export interface KeptProviders {
  /**
   * The providers that run, for one engine run to attach to.
   *
   * @param timeoutMs How long to wait for one that is just being started. Default: 2,000.
   */
  readonly lease: (timeoutMs?: number) => Promise<ProviderLease>;
  /**
   * Whether one of the providers is just being started: a run that nobody waits for had better begin later than
   * with a provider of its own, which is slower and holds as much memory again.
   */
  readonly areStarting: () => boolean;
  /** Why one of the providers does not run; undefined while all of them run. */
  readonly trouble: () => string | undefined;
  /** Ends all of them at once, also those that engine runs are using. */
  readonly stop: () => Promise<void>;
}

/** The providers of one engine run. */
export interface ProviderLease {
  /**
   * The value of PULUMI_DEBUG_PROVIDERS, such as `postgresql:4711,pulumi-nodejs:4712`. A provider that does
   * not run is left out, and the engine starts one of its own.
   */
  readonly attach: string;
  /** Whether all providers of this lease still run, and may be used. */
  readonly isFresh: () => boolean;
  /**
   * Whether a newer process has replaced one of them. A run that is at work may finish with the old
   * process. A pre-started run, which has not begun yet, should be given up instead: until it ends, the
   * old process must stay, with all the memory that it has grown to.
   */
  readonly isRelieved: () => boolean;
  /**
   * Ends the lease: the engine run is over.
   *
   * @param abandoned Whether the run may have left calls unfinished in its providers, with nobody to wait
   * for them. Then no further run gets these processes. They are ended, and those calls with them, once
   * the other runs that use them are over.
   */
  readonly release: (abandoned?: boolean) => void;
}

/** The providers that are kept running, by the package whose resources each serves. */
export type KeptName = "postgresql" | "pulumi-nodejs";

/** What the providers are started with. */
export interface KeptProvidersSettings extends Partial<Omit<KeepingOptions, "report">> {
  readonly engine: Pick<Engine, "pieces">;
  /**
   * The whole environment of each provider. Give it only what the provider needs: whoever breaks into a
   * provider can read all of it.
   */
  readonly env: Readonly<Record<KeptName, NodeJS.ProcessEnv>>;
  /** Where the dynamic provider finds the modules that its resources name. */
  readonly cwd: string;
  /**
   * The resource code that the dynamic provider may run: the texts of the property `__provider`. It refuses
   * all others.
   */
  readonly code: readonly string[];
  readonly report: KeepingOptions["report"];
}

/** Starts each provider, and starts it again whenever it ends, hangs or does not start. */
export function keepProviders(settings: KeptProvidersSettings): KeptProviders {
  // A provider acts with our rights for whoever calls it, so it must be able to see who calls.
  if (!canTellUsers())
    return none("this system does not say which user made a connection: no /proc/net/tcp");
  const options = {
    startTimeoutMs: 15_000,
    hangTimeoutMs: 5_000,
    wear: defaultWearLimits,
    ...settings,
  };
  const kept = commands(settings).map((command) => new KeptProvider(command, options));
  return {
    async lease(timeoutMs = LEASE_TIMEOUT_MS) {
      const run = {};
      const found = await Promise.all(kept.map((provider) => provider.lease(run, timeoutMs)));
      const leased = found.filter((serving) => serving !== undefined);
      return {
        attach: leased.map(({ process: { name, port } }) => `${name}:${port}`).join(","),
        isFresh: () => leased.every(({ isFresh }) => isFresh()),
        isRelieved: () => leased.some(({ isRelieved }) => isRelieved()),
        release(abandoned = false) {
          for (const { release } of leased) release(run, abandoned);
        },
      };
    },
    areStarting: () => kept.some(({ isStarting }) => isStarting),
    trouble: () => kept.find(({ problem }) => problem !== undefined)?.problem,
    stop: async () => {
      await Promise.all(kept.map((provider) => provider.stop()));
    },
  };
}

function commands({ engine, env, cwd, code }: KeptProvidersSettings): ProviderCommand[] {
  const plugin = engine.pieces.find(({ name }) => name === "postgresql plugin")?.path ?? "";
  return [
    { name: "postgresql", command: plugin, args: [], env: env.postgresql, cwd },
    {
      name: "pulumi-nodejs",
      // Not the launcher that came with the CLI: it starts one node process that only looks for the
      // program, and a second one that runs it. Ours is one process.
      command: process.execPath,
      args: [join(__dirname, "dynamic-provider.js"), "127.0.0.1:1", JSON.stringify(code)],
      env: env["pulumi-nodejs"],
      cwd,
    },
  ];
}

function none(trouble: string): KeptProviders {
  const lease = {
    attach: "",
    isFresh: () => true,
    isRelieved: () => false,
    release: () => undefined,
  };
  return {
    lease: () => Promise.resolve(lease),
    areStarting: () => false,
    trouble: () => trouble,
    stop: () => Promise.resolve(),
  };
}
