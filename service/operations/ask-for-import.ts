import type { Archive } from "../../provider/archive/read";
import type { Database } from "../database/database";
import { TenantConflictError } from "../system/errors";
import { wantedBySlug } from "../tenants/wanted";
import { accept } from "./accept";
import { importTenant, type ImportRequest } from "./kinds/import";
import { aliveOperation } from "./store/store";

/** Who asks for an import, as operations show it. Nobody who has only a token can go on with what it began. */
const asker = { subject: "npm run import", isSuperAdmin: true } as const;

/**
 * Has an import accepted, or finds the one that an earlier command began for the slug. Its job is not put into the
 * queue: another instance may not have the file. One that was begun and left is queued by whoever finds it.
 *
 * @returns the operation's id.
 * @throws {@link TenantConflictError} where the slug is taken, or has the rows of another archive already.
 */
export async function askForImport(
  database: Database,
  request: ImportRequest,
  { digest }: Pick<Archive, "digest">,
): Promise<string> {
  const { query } = database;
  const wanted = await wantedBySlug(query, request.slug);
  if (wanted !== undefined) {
    const [other] = await query(
      "select from public.tenants where id = $1 and archive_digest <> $2 and status = 'provisioning'",
      [wanted.id, digest],
    );
    if (other !== undefined) {
      throw new TenantConflictError(
        `An unfinished import of ${request.slug} has the rows of another archive: import that one`,
      );
    }
    const alive = await aliveOperation(query, wanted.id);
    if (alive?.kind === "import") return alive.id;
  }
  const operation = await accept(
    database,
    { kind: importTenant, tenantId: undefined, request, asker },
    { limit: Infinity, purgeAfterDays: 0, enqueue: () => Promise.resolve() },
  );
  if (operation === undefined) throw new TenantConflictError("There is nothing to import");
  return operation.id;
}
