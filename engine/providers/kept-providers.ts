import { join } from "node:path";
import type { Engine } from "../obtain/obtain";
import { tellsUsers } from "../system/own-user";
import { KeptProvider, type KeepingOptions } from "./kept-provider";
import type { ProviderCommand } from "./provider-process";
import { usualWear } from "./wear";

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
  /** The value of PULUMI_DEBUG_PROVIDERS; one that does not run is not in it: the engine starts it. */
  readonly attach: string;
  /** Whether all that are in it still run. */
  readonly isFresh: () => boolean;
  /**
   * Whether a newer process has taken the place of one of them. The run may go on; one that only waits
   * keeps the old process, and what it has grown to, from ending.
   */
  readonly isRelieved: () => boolean;
  /**
   * Tells that the run is over.
   *
   * @param abandoned Whether it left work behind that nobody waits for. No further run gets these
   * providers then, and they end, with that work, when the runs that have them are over.
   */
  readonly release: (abandoned?: boolean) => void;
}

/** The providers that are kept, by the package whose resources each serves. */
export type KeptName = "postgresql" | "pulumi-nodejs";

/** What providers are kept with. */
export interface KeptProvidersSettings extends Partial<Omit<KeepingOptions, "report">> {
  readonly engine: Pick<Engine, "pieces">;
  /**
   * The whole environment of each. What it has more than its provider needs is lost with it, should
   * somebody get at the provider.
   */
  readonly env: Readonly<Record<KeptName, NodeJS.ProcessEnv>>;
  /** Where the dynamic provider finds the modules that its resources name. */
  readonly cwd: string;
  /** The texts of `__provider` that the dynamic provider runs; it refuses all others. */
  readonly code: readonly string[];
  readonly report: KeepingOptions["report"];
}

/** Starts each provider, and starts it again when it ends or hangs, for as long as it takes. */
export function keepProviders(settings: KeptProvidersSettings): KeptProviders {
  // A provider does what it is told with our rights, and must know who tells it.
  if (!tellsUsers())
    return none("this system does not tell whose a connection is: no /proc/net/tcp");
  const options = { startsWithinMs: 15_000, hangsAfter: 5_000, wear: usualWear, ...settings };
  const kept = commands(settings).map((command) => new KeptProvider(command, options));
  return {
    async lease(patience = PATIENCE) {
      const run = {};
      const found = await Promise.all(kept.map((provider) => provider.lease(run, patience)));
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
    trouble: () => kept.find(({ fault }) => fault !== undefined)?.fault,
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
      // Never the launcher that came with the CLI, which starts one node to find the program and
      // another to run it: our own program is both, whatever is installed.
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
    trouble: () => trouble,
    stop: () => Promise.resolve(),
  };
}
