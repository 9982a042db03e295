import { readMigrations } from "../../provider/database/migrations";
import { withConnection } from "../../provider/database/pool";
import type { Arguments } from "../arguments";
import { assertChosen } from "../choice";
import { assertNoneEdited } from "../lacking";
import { planOf, type Plan } from "../plan";
import { readSettings } from "../settings";
import { readStatus } from "../status";

/** `plan`: what `migrate` would do. Changes nothing. */
export async function plan({ options, migrations, json }: Arguments): Promise<number> {
  const { database, directory } = readSettings(migrations);
  const files = readMigrations(directory);
  const status = await withConnection(database, async (client) => {
    await assertChosen(client, options);
    await assertNoneEdited(client, options, files);
    return readStatus(client, options, files);
  });
  const planned = planOf(status, directory);
  console.log(json ? JSON.stringify(planned) : describe(planned));
  return 0;
}

function describe({ groups, statements }: Plan): string {
  if (groups.length === 0) return "no tenant lacks a migration";
  return [
    ...groups.map(({ tenants, files }) => `${tenants} tenants would get ${files.join(", ")}`),
    ...Object.entries(statements).map(([file, up]) => `\n-- ${file}\n${up}`),
  ].join("\n");
}
