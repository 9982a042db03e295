import { readFileSync } from "node:fs";
import path from "node:path";
import { ConfigurationError, MigrationFailedError } from "../../provider/contract/errors";
import { readLiveSchema } from "../../provider/database/live-schema";
import {
  migrationVersion,
  readMigrations,
  type MigrationDigests,
} from "../../provider/database/migrations";
import { withConnection } from "../../provider/database/pool";
import { filesAfter, rollBack } from "../../provider/database/roll-back";
import type { Arguments } from "../arguments";
import { assertChosen, readChosen } from "../choice";
import { RolloutConflictError } from "../errors";
import { assertNoneEdited } from "../lacking";
import { LOCK_WAIT_MS, lookAtTenant } from "../look";
import { hasStatement, partsOf } from "../migration-file";
import { openRollout } from "../rollout/read";
import { readSettings, type FleetSettings } from "../settings";
import { table } from "../table";

/** What is to be undone in one tenant. */
interface Rollback {
  readonly id: string;
  readonly slug: string;
  /** In the order in which they are undone. */
  readonly files: readonly string[];
}

/** `rollback`: undoes, in the named tenants, what is newer than a version. */
export async function rollback(args: Arguments): Promise<number> {
  const settings = readSettings(args.migrations);
  const files = readMigrations(settings.directory);
  const to = assertKnown(args.to ?? "", files, settings);
  const planned = await planRollback(args, settings, files, to);
  const say = (event: object, text: string) =>
    console.log(args.json ? JSON.stringify(event) : text);
  const statements = downsOf(planned, settings.directory);
  say({ event: "plan", tenants: planned, statements }, describe(planned, statements));
  if (planned.length === 0) return 0;
  if (!args.yes) {
    console.error(
      "nothing was undone: what these statements drop is gone for good. Add --yes to do it",
    );
    return 1;
  }
  const failures: { slug: string; message: string }[] = [];
  for (const { id, slug } of planned) {
    try {
      const undone = await undo(args, settings, files, { id, to });
      say({ event: "undone", slug, files: undone }, `${slug}: ${undone.join(", ")} undone`);
    } catch (error) {
      failures.push({ slug, message: error instanceof Error ? error.message : String(error) });
    }
  }
  const rows = failures.map(({ slug, message }) => [slug, message]);
  say(
    { event: "end", failures },
    failures.length > 0 ? table(["tenant", "failure"], rows).join("\n") : afterwards,
  );
  return failures.length > 0 ? 1 : 0;
}

const afterwards =
  "Whoever migrates these tenants next applies again what the folder has: take the files out of it, or mend them. " +
  "A stack that declares one runs pulumi refresh before its next up";

/** @throws {@link ConfigurationError} where no file has this version. */
function assertKnown(to: string, files: MigrationDigests, { directory }: FleetSettings): string {
  if (Object.keys(files).some((file) => migrationVersion(file) === to)) return to;
  throw new ConfigurationError(
    `--to takes the version that stays the newest: no file in ${directory} has the version ${to}`,
  );
}

/**
 * Finds out what each named tenant has that is newer, in its schema and not on record: a rollback that was killed has
 * taken a file from the record and may not have undone it.
 *
 * @throws where a file was edited, or says nothing of how it is undone, or a rollout would apply it again.
 */
async function planRollback(
  { options }: Arguments,
  { database, directory }: FleetSettings,
  files: MigrationDigests,
  to: string,
): Promise<Rollback[]> {
  const chosen = await withConnection(database, async (client) => {
    await assertChosen(client, options);
    await assertNoneEdited(client, options, files);
    const open = await openRollout(client);
    if (open !== undefined) {
      throw new RolloutConflictError(`rollout ${open} has not ended: resume it, or cancel it`);
    }
    return readChosen(client, options);
  });
  const planned: Rollback[] = [];
  for (const { id, slug, schemaName } of chosen) {
    const live = await readLiveSchema(database, schemaName);
    const undone = filesAfter(to, files, live?.applied ?? []);
    if (undone.length > 0) planned.push({ id, slug, files: undone });
  }
  const silent = Object.entries(downsOf(planned, directory)).filter(
    ([, down]) => !hasStatement(down),
  );
  if (silent.length === 0) return planned;
  throw new MigrationFailedError(
    `nothing stands after migrate:down, so it cannot be undone, in ${silent.map(([file]) => file).join(", ")}`,
  );
}

/** What the files say after `migrate:down`, by their names. */
function downsOf(planned: readonly Rollback[], directory: string): Record<string, string> {
  const files = [...new Set(planned.flatMap((rollback) => rollback.files))].sort().reverse();
  const read = (file: string) => partsOf(readFileSync(path.join(directory, file), "utf8")).down;
  return Object.fromEntries(files.map((file) => [file, read(file)]));
}

function describe(planned: readonly Rollback[], statements: Record<string, string>): string {
  if (planned.length === 0) return "none of these tenants has a newer migration";
  return [
    ...planned.map(({ slug, files }) => `${slug}: ${files.join(", ")} to be undone`),
    ...Object.entries(statements).map(([file, down]) => `\n-- ${file}\n${down}`),
    "",
  ].join("\n");
}

async function undo(
  { options }: Arguments,
  { database, directory }: FleetSettings,
  files: MigrationDigests,
  { id, to }: { readonly id: string; readonly to: string },
): Promise<string[]> {
  const found = await withConnection(database, (client) => lookAtTenant(client, id));
  if (found === "gone") return [];
  if (found === "busy") throw new Error("is in the middle of another operation: try again");
  return rollBack({
    ...{ database, schemaName: `tenant_${id}`, directory, files, to },
    ...{ isolate: found.isolated, waitMs: LOCK_WAIT_MS, limits: options },
  });
}
