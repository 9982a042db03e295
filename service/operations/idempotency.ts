import { createHash } from "node:crypto";
import { verifyPassword } from "../../provider/contract/passwords";
import type { Query } from "../database/database";
import { KeyReusedError, TenantConflictError } from "../system/errors";
import { hashInTurn } from "./hashes";
import type { Asked } from "./kinds/kind";
import type { Operation } from "./store/operation";
import { findOperation } from "./store/store";

/** A caller's name for one request, which may be sent more than once. */
export interface IdempotencyKey {
  readonly key: string;
  /** The caller; empty for tokens without a `sub`, who share their keys. */
  readonly subject: string;
}

/** What a key stands for. */
type Stands =
  | { readonly operationId: string; readonly passwordHash: string | undefined }
  | { readonly conflict: string };

/** What is asked of which kind of operation: a key is for one such request. */
interface Keyed extends Asked<object> {
  readonly kind: { readonly name: string };
}

/** How long a key is known. */
const KNOWN_FOR = "interval '24 hours'";

/**
 * The operation that the key stands for already; undefined for a key that is new.
 *
 * @throws TenantConflictError when that is what the key's first request was told; KeyReusedError when
 * this request is another one; HashesFullError
 */
export async function recall(
  query: Query,
  { key, subject }: IdempotencyKey,
  asked: Keyed,
): Promise<Operation | undefined> {
  const [known] = await query<{
    fingerprint: string;
    passwordHash: string | null;
    conflict: string | null;
    operationId: string | null;
  }>(
    `select fingerprint, password_hash as "passwordHash", conflict, operation_id as "operationId"
    from public.idempotency_keys
    where subject = $1 and key = $2 and created_at > now() - ${KNOWN_FOR}`,
    [subject, key],
  );
  if (known === undefined) return undefined;
  if (known.fingerprint !== fingerprintOf(asked)) throw new KeyReusedError();
  if (known.conflict !== null) throw new TenantConflictError(known.conflict);
  const { passwordHash } = known;
  const isSame =
    passwordHash === null ||
    (await hashInTurn(() => verifyPassword(passwordHash, passwordIn(asked))));
  if (!isSame) throw new KeyReusedError();
  return findOperation(query, known.operationId ?? "");
}

/**
 * Notes what the key stands for, unless it stands for something already.
 *
 * @returns whether it does now.
 */
export async function remember(
  query: Query,
  { key, subject }: IdempotencyKey,
  asked: Keyed,
  stands: Stands,
): Promise<boolean> {
  await forgetOldKeys(query);
  const { operationId = null, passwordHash = null, conflict = null } = { ...none, ...stands };
  const rows = await query(
    `insert into public.idempotency_keys
      (subject, key, fingerprint, operation_id, password_hash, conflict)
    values ($1, $2, $3, $4, $5, $6) on conflict (subject, key) do nothing returning key`,
    [subject, key, fingerprintOf(asked), operationId, passwordHash, conflict],
  );
  return rows.length > 0;
}

const none: { operationId?: string; passwordHash?: string; conflict?: string } = {};

/** Deletes the keys that are not known any longer, and with them the hashes of their passwords. */
export async function forgetOldKeys(query: Query): Promise<void> {
  await query(`delete from public.idempotency_keys where created_at <= now() - ${KNOWN_FOR}`);
}

/** Of all but the password, of which nothing may be kept that is guessed as fast as this. */
function fingerprintOf({ kind, tenantId, request }: Keyed): string {
  const rest = [kind.name, tenantId, { ...request, adminPassword: undefined }];
  return createHash("sha256").update(JSON.stringify(rest)).digest("hex");
}

function passwordIn({ request }: Keyed): string {
  return "adminPassword" in request ? String(request.adminPassword) : "";
}
