import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import path from "node:path";
import { obtainEngine, type Engine } from "../../engine/obtain/obtain";
import { startDatabases, type Databases } from "./databases";
import { floor } from "../sides/floor";
import { startNaive, type Naive } from "../sides/naive";
import { startService, type Service } from "../sides/service";
import type { ServiceSettings } from "../sides/service-environment";

/** What all rows are measured with: one PostgreSQL server, one engine, and the sides that they compare. */
export interface BenchContext {
  readonly engine: Engine;
  readonly databases: Databases;
  /** Whether fewer samples will do. */
  readonly quick: boolean;
  /** Prints a line on standard error: how far the bench is. */
  readonly progress: (line: string) => void;
  /** Does one set-up without the engine, in this process. */
  readonly floor: () => ReturnType<typeof floor>;
  /** The service that most rows measure. It is started, and warmed up, at the first call. */
  readonly service: () => Promise<Service>;
  /** The Automation API as its documentation shows it. It is started, and warmed up, at the first call. */
  readonly naive: () => Promise<Naive>;
  /** Starts a service for one row alone. The bench stops it at its end, unless the row does. */
  readonly startService: (settings: Omit<ServiceSettings, "engine">) => Promise<Service>;
  /** The environment of a CLI that a side runs by itself, with its state in a new folder of this name. */
  readonly cliEnvironment: (state: string, databaseUrl: string) => NodeJS.ProcessEnv;
  /** Makes an empty folder of this name; it is removed at the end. */
  readonly folder: (name: string) => string;
}

const FLOOR_URL = "BENCH_FLOOR_URL";

/** How many set-ups a side does before it is measured. The naive side, which takes seconds for each, does one. */
export const WARM_UP = 5;

/**
 * Starts what every row needs.
 *
 * @param onClose Gets what has to be done at the end. Whoever calls this does it, the last first.
 */
export async function createContext(
  quick: boolean,
  progress: (line: string) => void,
  onClose: (work: () => unknown) => void,
): Promise<BenchContext> {
  const root = mkdtempSync(path.join(tmpdir(), "pulumi-tenant-bench-"));
  onClose(() => {
    rmSync(root, { recursive: true, force: true });
  });
  const folder = (name: string) => {
    const made = path.join(root, name);
    mkdirSync(made, { recursive: true });
    return made;
  };

  const engine = await obtainEngine(progress);
  progress("starting a temporary PostgreSQL");
  const databases = await startDatabases();
  onClose(databases.stop);
  process.env[FLOOR_URL] = await databases.migrated("floor");
  for (let run = 0; run < WARM_UP; run++) await floor(FLOOR_URL);

  const context: BenchContext = {
    ...{ engine, databases, quick, progress, folder },
    floor: () => floor(FLOOR_URL),
    service: once(() => usualService(context)),
    naive: once(() => usualNaive(context, onClose)),
    startService: async (settings) => {
      const service = await startService({ ...settings, engine: engine.env });
      onClose(service.stop);
      return service;
    },
    cliEnvironment: (state, databaseUrl) => ({
      ...process.env,
      ...engine.env,
      PULUMI_BACKEND_URL: `file://${folder(state)}`,
      PULUMI_CONFIG_PASSPHRASE: "a passphrase for the bench",
      PULUMI_HOME: pulumiHome(folder(`${state}/home`)),
      DATABASE_URL: databaseUrl,
    }),
  };
  return context;
}

async function usualService(context: BenchContext): Promise<Service> {
  context.progress("starting the service and warming it up");
  const service = await context.startService({
    databaseUrl: await context.databases.migrated("service"),
    backendUrl: `file://${context.folder("service-state")}`,
  });
  for (let run = 0; run < WARM_UP; run++) await service.setUp();
  return service;
}

async function usualNaive(
  context: BenchContext,
  onClose: (work: () => unknown) => void,
): Promise<Naive> {
  context.progress("starting the Automation API and warming it up");
  const databaseUrl = await context.databases.migrated("naive");
  const naive = startNaive({
    ...context.cliEnvironment("naive-state", databaseUrl),
    // The Automation API makes a folder there for each workspace.
    TMPDIR: context.folder("naive-workspaces"),
  });
  onClose(naive.stop);
  await naive.setUp();
  return naive;
}

function once<T>(work: () => Promise<T>): () => Promise<T> {
  let result: Promise<T> | undefined;
  return () => (result ??= work());
}

/** A PULUMI_HOME in which the CLI keeps which stack is selected. Its plugins are the user's own. */
function pulumiHome(folder: string): string {
  const { PULUMI_HOME = path.join(homedir(), ".pulumi") } = process.env;
  symlinkSync(path.join(PULUMI_HOME, "plugins"), path.join(folder, "plugins"));
  return folder;
}
