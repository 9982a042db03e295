/** `npm run fleet`: the migrations of many tenants, from the command line. */
import { readMigrations } from "../provider/database/migrations";
import { withConnection } from "../provider/database/pool";
import { help, readArguments, type Arguments } from "./arguments";
import { assertChosen } from "./choice";
import { readSettings } from "./settings";
import { readStatus, type TenantGroup } from "./status";
import { table } from "./table";

async function main(): Promise<void> {
  const args = readArguments(process.argv.slice(2));
  if (args === "help") {
    console.log(help);
    return;
  }
  await status(args);
}

async function status({ choice, migrations, json }: Arguments): Promise<void> {
  const { database, directory } = readSettings(migrations);
  const files = readMigrations(directory);
  const groups = await withConnection(database, async (client) => {
    await assertChosen(client, choice);
    return readStatus(client, choice, files);
  });
  console.log(json ? JSON.stringify(groups) : describe(groups));
}

/** How many slugs are named before it only says how many more there are. */
const NAMED = 20;

function describe(groups: readonly TenantGroup[]): string {
  const rows = groups.map(({ owner, version, tenants, lacks }) => [
    ...[owner, version || "none", tenants],
    lacks.join(", ") || "nothing",
  ]);
  const sum = (counts: number[]) => counts.reduce((total, count) => total + count, 0);
  const behind = groups.flatMap((group) => group.behind);
  const more = behind.length > NAMED ? ` and ${behind.length - NAMED} more` : "";
  return [
    ...table(["owner", "version", "tenants", "lacks"], rows),
    `${sum(groups.map(({ tenants }) => tenants))} tenants, ${behind.length} behind` +
      (behind.length > 0 ? `: ${behind.slice(0, NAMED).join(", ")}${more}` : ""),
  ].join("\n");
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
});
