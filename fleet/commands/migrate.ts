import { migrate as migrateSchema } from "../../provider/database/dbmate";
import { publicMigrationsDir, readMigrations } from "../../provider/database/migrations";
import { withConnection } from "../../provider/database/pool";
import type { Arguments } from "../arguments";
import { conclusion, follow } from "../follow";
import { beginRollout } from "../rollout/begin";
import { newestRollout } from "../rollout/read";
import { runRollout } from "../rollout/run";
import { resumeRollout } from "../rollout/steer";
import { readSettings, type FleetSettings } from "../settings";

/** `migrate`: brings the chosen tenants to every file of the folder. */
export async function migrate(args: Arguments): Promise<number> {
  const settings = readSettings(args.migrations);
  const { database, directory } = settings;
  await makeControlTables(settings);
  const id = await beginRollout(database, args.options, readMigrations(directory));
  if (id !== undefined) return run(args, settings, id);
  console.log(args.json ? JSON.stringify({ event: "nothing" }) : "no tenant lacks a migration");
  return 0;
}

/** `resume`: goes on with a rollout, beside others who run it. */
export async function resume(args: Arguments): Promise<number> {
  const settings = readSettings(args.migrations);
  const { database, directory } = settings;
  await makeControlTables(settings);
  const id = args.id ?? (await withConnection(database, newestRollout));
  await resumeRollout(database, id, readMigrations(directory));
  return run(args, settings, id);
}

async function run(
  { json, concurrency }: Arguments,
  { database, directory }: FleetSettings,
  id: string,
): Promise<number> {
  const stop = stopOnSignal();
  const ended = new AbortController();
  const parts = { database, id, json };
  const running = runRollout({ database, directory, concurrency, stop }, id).finally(() =>
    ended.abort(),
  );
  // Whatever fails first is told; a runner that fails ends the other.
  await Promise.all([running, follow(parts, ended.signal)]).catch((error: unknown) => {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`${reason}\nGo on by: npm run fleet -- resume ${id}`, { cause: error });
  });
  return conclusion(parts);
}

/** Aborts at the first signal, or when the process is gone that started this one. The second signal ends it at once. */
function stopOnSignal(): AbortSignal {
  const stop = new AbortController();
  const begin = () => {
    if (stop.signal.aborted) process.exit(2);
    process.stderr.write("\nending what is at work; once more to give it back at once\n");
    stop.abort();
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, begin);
  process.once("disconnect", () => stop.abort());
  process.channel?.unref();
  return stop.signal;
}

/** As an instance of the service does when it starts: there may have been none of this version yet. */
async function makeControlTables({ database }: FleetSettings): Promise<void> {
  const files = readMigrations(publicMigrationsDir);
  await migrateSchema({ database, schemaName: "public", directory: publicMigrationsDir, files });
}
