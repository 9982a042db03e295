import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import path from "node:path";
import { obtainEngine, type Engine } from "../engine/obtain";
import { startTemporaryPostgres } from "../engine/postgres/temporary";
import { migrations } from "../provider/resources";
import { floor, migrationInputs } from "./sides/floor";
import { startNaive, type Naive } from "./sides/naive";
import { sql } from "./sql";
import { startService, type Service } from "./sides/service";

/** What all rows are measured on: one PostgreSQL, one engine, and the sides, each started once. */
export interface Ground {
  readonly engine: Engine;
  /** Whether fewer samples will do. */
  readonly quick: boolean;
  /** Tells how far it is. */
  readonly say: (line: string) => void;
  /** One set-up without the engine. */
  readonly floor: () => ReturnType<typeof floor>;
  /** The service that most rows ask, warmed up by five set-ups. */
  readonly service: () => Promise<Service>;
  /** The Automation API as its documentation shows it, warmed up by one set-up. */
  readonly naive: () => Promise<Naive>;
  /** Starts a service of a row's own, which stops with the bench if not before. */
  readonly startService: (settings: OwnService) => Promise<Service>;
  /** What a CLI of a side's own is started with: its state in a new folder of this name. */
  readonly cliEnvironment: (state: string, databaseUrl: string) => NodeJS.ProcessEnv;
  /** Makes a database with the control tables; gives its URL. */
  readonly database: (name: string) => Promise<string>;
  /** Makes a database with nothing in it; gives its URL. */
  readonly emptyDatabase: (name: string) => Promise<string>;
  /** Makes an empty folder. */
  readonly folder: (name: string) => string;
  /** Ends and removes everything. */
  readonly close: () => Promise<void>;
}

/** How a row's own service differs from the usual one. */
interface OwnService {
  readonly databaseUrl: string;
  readonly backendUrl: string;
  readonly migrationsDir?: string;
}

const FLOOR_URL = "BENCH_FLOOR_URL";

/** How many set-ups a service does before it is measured. */
export const WARM_UP = 5;

export async function layGround(quick: boolean, say: (line: string) => void): Promise<Ground> {
  const root = mkdtempSync(path.join(tmpdir(), "pulumi-tenant-bench-"));
  const closers: (() => unknown)[] = [() => rmSync(root, { recursive: true, force: true })];
  const close = async () => {
    for (let last = closers.pop(); last !== undefined; last = closers.pop()) await last();
  };
  try {
    const engine = await obtainEngine(say);
    say("database: starting a temporary PostgreSQL");
    const postgres = await startTemporaryPostgres();
    closers.push(() => postgres.stop());
    const folder = (name: string) => {
      const made = path.join(root, name);
      mkdirSync(made, { recursive: true });
      return made;
    };
    const emptyDatabase = async (name: string) => {
      const owner = new URL(postgres.url).username;
      await sql(postgres.superuserUrl, `create database "${name}" owner "${owner}"`);
      return Object.assign(new URL(postgres.url), { pathname: `/${name}` }).href;
    };
    const database = async (name: string) => {
      const url = await emptyDatabase(name);
      await applyPublicMigrations(url);
      return url;
    };
    const ownService = async (settings: OwnService) => {
      const service = await startService({ ...settings, engine: engine.env });
      closers.push(() => service.stop());
      return service;
    };
    const cliEnvironment = (state: string, databaseUrl: string): NodeJS.ProcessEnv => ({
      ...process.env,
      ...engine.env,
      PULUMI_BACKEND_URL: `file://${folder(state)}`,
      PULUMI_CONFIG_PASSPHRASE: "a passphrase for the bench",
      PULUMI_HOME: pulumiHome(folder(`${state}/home`)),
      DATABASE_URL: databaseUrl,
    });
    process.env[FLOOR_URL] = await database("floor");
    for (let run = 0; run < WARM_UP; run++) await floor(FLOOR_URL);
    return {
      ...{ engine, quick, say, folder, database, emptyDatabase, cliEnvironment, close },
      startService: ownService,
      floor: () => floor(FLOOR_URL),
      service: once(async () => {
        say("service: starting and warming up");
        const databaseUrl = await database("service");
        const backendUrl = `file://${folder("service-state")}`;
        const service = await ownService({ databaseUrl, backendUrl });
        for (let run = 0; run < WARM_UP; run++) await service.setUp();
        return service;
      }),
      naive: once(async () => {
        say("Automation API: starting and warming up");
        const databaseUrl = await database("naive");
        const naive = startNaive({
          ...cliEnvironment("naive-state", databaseUrl),
          // It makes a folder there for each workspace.
          TMPDIR: folder("naive-workspaces"),
        });
        closers.push(() => naive.stop());
        await naive.setUp();
        return naive;
      }),
    };
  } catch (error) {
    await close();
    throw error;
  }
}

async function applyPublicMigrations(url: string): Promise<void> {
  const urlEnv = "BENCH_DATABASE_URL";
  process.env[urlEnv] = url;
  const inputs = { urlEnv, schemaName: "public", forceDestroy: false };
  await migrations.create(migrationInputs(inputs));
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
