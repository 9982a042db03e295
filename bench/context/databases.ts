import { startTemporaryPostgres } from "../../engine/postgres/temporary";
import { migrations } from "../../provider/resources";
import { migrationInputs } from "../sides/floor";
import { sql } from "../measure/sql";

/** A temporary PostgreSQL server for the bench alone. */
export interface Databases {
  /** Makes a database with the control tables; gives its URL. */
  readonly migrated: (name: string) => Promise<string>;
  /** Makes a database with nothing in it; gives its URL. */
  readonly empty: (name: string) => Promise<string>;
  readonly stop: () => Promise<void>;
}

/** @throws SetUpError when the server does not start. */
export async function startDatabases(): Promise<Databases> {
  const server = await startTemporaryPostgres();
  const { url, superuserUrl } = server;
  const owner = new URL(url).username;
  const empty = async (name: string) => {
    await sql(superuserUrl, `create database "${name}" owner "${owner}"`);
    return Object.assign(new URL(url), { pathname: `/${name}` }).href;
  };
  const migrated = async (name: string) => {
    const made = await empty(name);
    await applyPublicMigrations(name, made);
    return made;
  };
  return { empty, migrated, stop: () => server.stop() };
}

async function applyPublicMigrations(name: string, url: string): Promise<void> {
  // A variable for each database, because two may be made at the same time.
  const urlEnv = `BENCH_URL_OF_${name.toUpperCase().replaceAll("-", "_")}`;
  process.env[urlEnv] = url;
  const inputs = { urlEnv, schemaName: "public", forceDestroy: false };
  await migrations.create(migrationInputs(inputs));
}
