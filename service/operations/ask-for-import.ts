import type { Archive } from "../../provider/archive/read";
import type { Database, Query } from "../database/database";
import { TenantConflictError } from "../system/errors";
import { wantedBySlug } from "../tenants/wanted";
import { accept } from "./accept";
import { importTenant, type ImportRequest } from "./kinds/import";
import { aliveOperation } from "./store/store";

/** Who asks for an import, as operations show it. Nobody who has only a token can go on with what it began. */
const asker = { subject: "npm run import", isSuperAdmin: true } as const;

/**
 * Has an import accepted, or finds the one that an earlier command began for the slug. Its job is not put into the
 * queue: another instance may not have the file. One that was begun and left is queued by whoever finds it, and so
 * may have ended meanwhile.
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
    const done = await madeWith(query, wanted.id, digest);
    if (done !== undefined) return done;
  }
  const operation = await accept(
    database,
    { kind: importTenant, tenantId: undefined, request, asker },
    { limit: Infinity, purgeAfterDays: 0, enqueue: () => Promise.resolve() },
  );
  if (operation === undefined) throw new TenantConflictError("There is nothing to import");
  return operation.id;
}

/** Also one that is applied and has not ended: its instance may have died before it could say so. */
async function madeWith(
  query: Query,
  tenantId: string,
  digest: string,
): Promise<string | undefined> {
  const [row] = await query<{ id: string }>(
    `select o.id from public.operations o join public.tenants t on t.id = o.tenant_id
    where t.id = $1 and t.archive_digest = $2 and o.kind = 'import' and o.status <> 'failed'
    order by o.created_at desc limit 1`,
    [tenantId, digest],
  );
  return row?.id;
}
