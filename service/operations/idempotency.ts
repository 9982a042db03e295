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

/**
 * What became of the first request with a key: an operation was accepted, it was refused, or nothing was to be
 * done.
 */
type Stands =
  | { readonly operationId: string; readonly passwordHash: string | undefined }
  | { readonly conflict: string }
  | Readonly<Record<string, never>>;

/** A request as a key is bound to it: its kind, its tenant and its body. */
interface Keyed extends Omit<Asked<object>, "asker"> {
  readonly kind: { readonly name: string };
}

/** How long a key is remembered, as an interval of SQL. */
const KNOWN_FOR = "interval '24 hours'";

/**
 * Finds the operation that the first request with this key made; none where nothing was to be done.
 *
 * @returns undefined for a key that is new, or that is no longer remembered.
 * @throws {@link TenantConflictError} when the first request was answered with it.
 * @throws {@link KeyReusedError} when the first request was a different one.
 * @throws HashesFullError when too many passwords wait to be verified; DatabaseDownError
 */
export async function recall(
  query: Query,
  { key, subject }: IdempotencyKey,
  asked: Keyed,
): Promise<{ readonly operation: Operation | undefined } | undefined> {
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
  const { operationId } = known;
  return { operation: operationId === null ? undefined : await findOperation(query, operationId) };
}

/**
 * Remembers what became of the first request with a key. Of two that come at once, one is remembered.
 *
 * @returns `false` where the key is remembered for another request already.
 * @throws DatabaseDownError
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

/**
 * Deletes the keys that are older than {@link KNOWN_FOR}, and with them the hashes of their passwords.
 *
 * @throws DatabaseDownError
 */
export async function forgetOldKeys(query: Query): Promise<void> {
  await query(`delete from public.idempotency_keys where created_at <= now() - ${KNOWN_FOR}`);
}

/**
 * A digest of the request, with whether it has a password in the place of that: a stolen SHA-256 of a password
 * is guessed quickly, so the password is compared by its argon2id hash instead.
 */
function fingerprintOf({ kind, tenantId, request }: Keyed): string {
  const adminPassword =
    "adminPassword" in request && request.adminPassword !== undefined ? "given" : undefined;
  const rest = [kind.name, tenantId, { ...request, adminPassword }];
  return createHash("sha256").update(JSON.stringify(rest)).digest("hex");
}

function passwordIn({ request }: Keyed): string {
  return "adminPassword" in request ? String(request.adminPassword) : "";
}
