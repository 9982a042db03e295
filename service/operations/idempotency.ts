import { createHash } from "node:crypto";
import { verifyPassword } from "../../provider/contract/passwords";
import { query, type Query } from "../database/database";
import { KeyReusedError, TenantConflictError } from "../system/errors";
import type { TenantRequest } from "./kinds/setup-request";
import type { Operation } from "./operation";
import { hashInTurn } from "./hashes";
import { findOperation } from "./store";

/** A caller's name for one request, which may be sent more than once. */
export interface IdempotencyKey {
  readonly key: string;
  /** The caller; empty for tokens without a `sub`, who share their keys. */
  readonly subject: string;
}

/** How long a key is known. */
const LASTS = "interval '24 hours'";

/**
 * The operation that the key stands for already; undefined for a key that is new.
 *
 * @throws TenantConflictError when that is what the key's first request was told; KeyReusedError when
 * this request is another one; HashesFullError
 */
export async function recall(
  { key, subject }: IdempotencyKey,
  request: TenantRequest,
): Promise<Operation | undefined> {
  const [known] = await query<{
    fingerprint: string;
    conflict: string | null;
    operationId: string | null;
  }>(
    `select fingerprint, conflict, operation_id as "operationId" from public.idempotency_keys
    where subject = $1 and key = $2 and created_at > now() - ${LASTS}`,
    [subject, key],
  );
  if (known === undefined) return undefined;
  if (known.fingerprint !== fingerprintOf(request)) throw new KeyReusedError();
  if (known.conflict !== null) throw new TenantConflictError(known.conflict);
  const operation = await findOperation(known.operationId ?? "");
  if (operation === undefined) return undefined;
  const { passwordHash } = operation;
  const isSame = await hashInTurn(() => verifyPassword(passwordHash, request.adminPassword));
  if (!isSame) throw new KeyReusedError();
  return operation;
}

/**
 * Notes what the key stands for, unless it stands for something already.
 *
 * @returns whether it does now.
 */
export async function remember(
  run: Query,
  { key, subject }: IdempotencyKey,
  request: TenantRequest,
  stands: { readonly operationId: string } | { readonly conflict: string },
): Promise<boolean> {
  await run(`delete from public.idempotency_keys where created_at <= now() - ${LASTS}`);
  const rows = await run(
    `insert into public.idempotency_keys (subject, key, fingerprint, operation_id, conflict)
    values ($1, $2, $3, $4, $5) on conflict (subject, key) do nothing returning key`,
    [
      ...[subject, key, fingerprintOf(request)],
      "operationId" in stands ? stands.operationId : null,
      "conflict" in stands ? stands.conflict : null,
    ],
  );
  return rows.length > 0;
}

/** Of all but the password, of which nothing may be kept that is guessed as fast as this. */
function fingerprintOf(request: TenantRequest): string {
  const rest = JSON.stringify({ ...request, adminPassword: undefined });
  return createHash("sha256").update(rest).digest("hex");
}
