import type { ClientBase } from "pg";
import { readMigrations } from "../../provider/database/migrations";
import { withConnection } from "../../provider/database/pool";
import type { Arguments } from "../arguments";
import { assertChosen } from "../choice";
import { assertNoneEdited } from "../lacking";
import { planOf, type Plan } from "../plan";
import { readSettings } from "../settings";
import { readStatus } from "../status";
import { warningsOf } from "../warnings";

/** `plan`: what `migrate` would do. Changes nothing. */
export async function plan({ options, migrations, json }: Arguments): Promise<number> {
  const { database, directory } = readSettings(migrations);
  const files = readMigrations(directory);
  const { status, serverVersion } = await withConnection(database, async (client) => {
    await assertChosen(client, options);
    await assertNoneEdited(client, options, files);
    return {
      status: await readStatus(client, options, files),
      serverVersion: await readServerVersion(client),
    };
  });
  const plan = planOf(status, directory);
  const warnings = await warningsOf(Object.keys(plan.statements), directory, serverVersion);
  const planned = { ...plan, warnings };
  console.log(json ? JSON.stringify(planned) : describe(planned));
  return 0;
}

/** @returns such as `18.0`. */
async function readServerVersion(client: ClientBase): Promise<string> {
  const { rows } = await client.query<{ version: string }>(
    "select current_setting('server_version_num')::int / 10000 || '.0' as version",
  );
  return rows[0]?.version ?? "";
}

function describe({ groups, statements, warnings }: Plan): string {
  if (groups.length === 0) return "no tenant lacks a migration";
  return [
    ...groups.map(({ tenants, files }) => `${tenants} tenants would get ${files.join(", ")}`),
    ...Object.entries(statements).map(([file, up]) => `\n-- ${file}\n${up}`),
    ...(warnings.length > 0 ? ["\nWarnings, by squawk:"] : []),
    ...warnings.map(({ file, line, rule, message }) => `${file}:${line} ${rule}: ${message}`),
  ].join("\n");
}
