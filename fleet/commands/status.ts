import { readMigrations } from "../../provider/database/migrations";
import { withConnection } from "../../provider/database/pool";
import type { Arguments } from "../arguments";
import { assertChosen } from "../choice";
import { readSettings } from "../settings";
import { readStatus, type TenantGroup } from "../status";
import { table } from "../table";

/** `status`: how many tenants have which migrations. */
export async function status({ options, migrations, json }: Arguments): Promise<number> {
  const { database, directory } = readSettings(migrations);
  const files = readMigrations(directory);
  const groups = await withConnection(database, async (client) => {
    await assertChosen(client, options);
    return readStatus(client, options, files);
  });
  console.log(json ? JSON.stringify(groups) : describe(groups));
  return 0;
}

/** How many slugs, and how many failures, are told at most. */
const NAMED = 20;

function describe(groups: readonly TenantGroup[]): string {
  const rows = groups.map(({ owner, version, tenants, lacks }) => [
    ...[owner, version || "none", tenants],
    lacks.join(", ") || "nothing",
  ]);
  const sum = (counts: number[]) => counts.reduce((total, count) => total + count, 0);
  const behind = groups.flatMap((group) => group.behind);
  const failures = groups
    .flatMap((group) => group.failures)
    .slice(0, NAMED)
    .map(({ slug, message }) => [slug, message]);
  const more = behind.length > NAMED ? ` and ${behind.length - NAMED} more` : "";
  return [
    ...table(["owner", "version", "tenants", "lacks"], rows),
    `${sum(groups.map(({ tenants }) => tenants))} tenants, ${behind.length} behind` +
      (behind.length > 0 ? `: ${behind.slice(0, NAMED).join(", ")}${more}` : ""),
    ...(failures.length > 0 ? ["", ...table(["failed", "why"], failures)] : []),
  ].join("\n");
}
