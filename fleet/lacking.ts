import type { ClientBase } from "pg";
import { MigrationFailedError } from "../provider/contract/errors";
import { cureOfEdited, type MigrationDigests } from "../provider/database/migrations";
import { chosenTenants, type Choice } from "./choice";

/**
 * SQL for whether a tenant lacks a file.
 *
 * @param schema SQL of the name of its schema: a column with its table, as the digests have a `schema_name` too.
 * @param files SQL of the files' names, of type text[].
 */
export const lacksAny = (schema: string, files: string): string => `
  exists (select from unnest(${files}) as wanted (file) where not exists (
    select from public.tenant_migration_digests d where d.schema_name = ${schema} and d.file = wanted.file
  ))`;

/** How many tenants are named of those that have a file that was edited. */
const NAMED = 5;

/**
 * Checks, in one statement, that each file on record as applied is in the folder as it was.
 *
 * @throws {@link MigrationFailedError} naming the files that are not, and tenants that have them.
 */
export async function assertNoneEdited(
  client: ClientBase,
  { owner, only }: Choice,
  files: MigrationDigests,
): Promise<void> {
  const { rows } = await client.query<{
    file: string;
    edited: boolean;
    tenants: number;
    slugs: string[];
  }>(
    `select d.file, bool_or(f.file is not null) as edited, count(*)::int as tenants,
      (array_agg(slug order by slug))[1:${NAMED}] as slugs
    from (${chosenTenants("$1", "$2::text[]")}) as chosen
    join public.tenant_migration_digests d using (schema_name)
    left join unnest($3::text[], $4::text[]) as f (file, digest) on f.file = d.file
    where f.digest is distinct from d.digest
    group by d.file order by d.file`,
    [owner, only, Object.keys(files), Object.values(files)],
  );
  if (rows.length === 0) return;
  const lines = rows.map(({ file, edited, tenants, slugs }) => {
    const more = tenants > NAMED ? ` and ${tenants - NAMED} more` : "";
    const what = edited
      ? `was edited after it was applied: ${cureOfEdited}`
      : "is applied, and not in the folder: bring the folder up to date, or restore the file";
    return `${file} ${what} (${slugs.join(", ")}${more})`;
  });
  throw new MigrationFailedError(lines.join("\n"));
}
