import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import path from "node:path";
import { obtainEngine, type Engine } from "../../engine/obtain/obtain";
import { startDatabases, type Databases } from "./databases";
import { floor } from "../sides/floor";
import { startNaive, type Naive } from "../sides/naive";
import { startService, type Service, type ServiceSettings } from "../sides/service";

/** What all rows are measured on: one PostgreSQL, one engine, and the sides. */
export interface Ground {
  readonly engine: Engine;
  readonly databases: Databases;
  /** Whether fewer samples will do. */
  readonly quick: boolean;
  /** Tells how far it is. */
  readonly say: (line: string) => void;
  /** One set-up without the engine, in this process. */
  readonly floor: () => ReturnType<typeof floor>;
  /** The service that most rows ask, started at the first call, and warm. */
  readonly service: () => Promise<Service>;
  /** The Automation API as its documentation shows it, started at the first call, and warm. */
  readonly naive: () => Promise<Naive>;
  /** Starts a service of a row's own, which stops with the bench if not before. */
  readonly startService: (settings: Omit<ServiceSettings, "engine">) => Promise<Service>;
  /** What a CLI of a side's own is started with: its state in a new folder of this name. */
  readonly cliEnvironment: (state: string, databaseUrl: string) => NodeJS.ProcessEnv;
  /** Makes an empty folder. */
  readonly folder: (name: string) => string;
}

const FLOOR_URL = "BENCH_FLOOR_URL";

/** How many set-ups a side does before it is measured; a naive one, which takes seconds, does one. */
export const WARM_UP = 5;

/**
 * Starts what every row needs.
 *
 * @param atEnd Takes what has to be done at the end, in the opposite order.
 */
export async function layGround(
  quick: boolean,
  say: (line: string) => void,
  atEnd: (work: () => unknown) => void,
): Promise<Ground> {
  const root = mkdtempSync(path.join(tmpdir(), "pulumi-tenant-bench-"));
  atEnd(() => {
    rmSync(root, { recursive: true, force: true });
  });
  const folder = (name: string) => {
    const made = path.join(root, name);
    mkdirSync(made, { recursive: true });
    return made;
  };

  const engine = await obtainEngine(say);
  say("starting a temporary PostgreSQL");
  const databases = await startDatabases();
  atEnd(databases.stop);
  process.env[FLOOR_URL] = await databases.migrated("floor");
  for (let run = 0; run < WARM_UP; run++) await floor(FLOOR_URL);

  const ground: Ground = {
    ...{ engine, databases, quick, say, folder },
    floor: () => floor(FLOOR_URL),
    service: once(() => usualService(ground)),
    naive: once(() => usualNaive(ground, atEnd)),
    startService: async (settings) => {
      const service = await startService({ ...settings, engine: engine.env });
      atEnd(service.stop);
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
  return ground;
}

async function usualService(ground: Ground): Promise<Service> {
  ground.say("starting the service and warming it up");
  const service = await ground.startService({
    databaseUrl: await ground.databases.migrated("service"),
    backendUrl: `file://${ground.folder("service-state")}`,
  });
  for (let run = 0; run < WARM_UP; run++) await service.setUp();
  return service;
}

async function usualNaive(ground: Ground, atEnd: (work: () => unknown) => void): Promise<Naive> {
  ground.say("starting the Automation API and warming it up");
  const databaseUrl = await ground.databases.migrated("naive");
  const naive = startNaive({
    ...ground.cliEnvironment("naive-state", databaseUrl),
    // It makes a folder there for each workspace.
    TMPDIR: ground.folder("naive-workspaces"),
  });
  atEnd(naive.stop);
  await naive.setUp();
  return naive;
}

function once<T>(work: () => Promise<T>): () => Promise<T> {
  let result: Promise<T> | undefined;
  return () => (result ??= work());
}

/** The CLI keeps there what is selected; its plugins are the user's. */
function pulumiHome(folder: string): string {
  const { PULUMI_HOME = path.join(homedir(), ".pulumi") } = process.env;
  symlinkSync(path.join(PULUMI_HOME, "plugins"), path.join(folder, "plugins"));
  return folder;
}
