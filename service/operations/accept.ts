import { randomUUID } from "node:crypto";
import { enqueue } from "../cluster/jobs";
import type { Database } from "../database/database";
import { QueueFullError, TenantBusyError, TenantConflictError } from "../system/errors";
import { hashInTurn } from "./hashes";
import { recall, remember, type IdempotencyKey } from "./idempotency";
import type { Asked, Kind } from "./kinds/kind";
import type { Operation } from "./store/operation";
import { countAlive, insertOperation, keepOthersWaiting } from "./store/store";

/** Something that is asked for. */
export interface Asking<Request extends object> extends Asked<Request> {
  readonly kind: Kind<Request>;
  /** The `sub` of the token that asks. */
  readonly subject: string | null;
  /** The caller's `Idempotency-Key`. */
  readonly key?: string | undefined;
}

/**
 * Accepts what is asked for: in one transaction, and before any other work, what is wanted of the
 * tenant changes, and the operation's row and its job are made. A key that is known gives the operation
 * that it stands for.
 *
 * @param limit How many operations may be alive.
 * @returns undefined where nothing is to be done.
 * @throws TenantConflictError, TenantBusyError, TenantUnknownError, KeyReusedError, QueueFullError,
 * HashesFullError, DatabaseDownError
 */
export async function accept<Request extends object>(
  database: Database,
  asking: Asking<Request>,
  limit: number,
): Promise<Operation | undefined> {
  if (asking.key === undefined) return acceptNew(database, asking, limit);
  const key = { key: asking.key, subject: asking.subject ?? "" };
  const known = await recall(database.query, key, asking);
  if (known !== undefined) return known;
  try {
    return await acceptNew(database, asking, limit, key);
  } catch (error) {
    if (!(error instanceof TenantConflictError || error instanceof TenantBusyError)) throw error;
    // The same request, sent twice at once, is in its own way.
    const twin = await recall(database.query, key, asking);
    if (twin !== undefined) return twin;
    if (error instanceof TenantConflictError) {
      await remember(database.query, key, asking, { conflict: error.message });
    }
    throw error;
  }
}

async function acceptNew<Request extends object>(
  database: Database,
  { kind, request, tenantId, subject }: Asking<Request>,
  limit: number,
  key?: IdempotencyKey,
): Promise<Operation | undefined> {
  const asked = { request, tenantId };
  // A hash costs most of all, so what can be refused is refused before it.
  await kind.refuse(database.query, asked);
  if ((await countAlive(database.query)) >= limit) throw new QueueFullError();
  const { hash } = kind;
  const passwordHash = hash && (await hashInTurn(() => hash(request)));
  return database.transaction(async (query) => {
    const accepted = await kind.want(query, asked, passwordHash);
    if (accepted === undefined) return undefined;
    const id = randomUUID();
    const steps = kind.steps.map((name) => ({ name, status: "pending" as const }));
    const draft = { ...accepted, id, kind: kind.name, subject, steps };
    const operation = await insertOperation(query, draft);
    if (operation === undefined) {
      throw new TenantBusyError("Another operation of the tenant is under way");
    }
    const stands = { operationId: id, passwordHash };
    if (key !== undefined && !(await remember(query, key, { kind, ...asked }, stands))) {
      throw new TenantConflictError("The Idempotency-Key is in use already");
    }
    await enqueue(query, id);
    // Others may have been accepted meanwhile. Last, so that they wait for no more than this commit.
    await keepOthersWaiting(query);
    if ((await countAlive(query)) > limit) throw new QueueFullError();
    return operation;
  });
}
