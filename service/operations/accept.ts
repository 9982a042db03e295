import { randomUUID } from "node:crypto";
import { enqueue } from "../cluster/jobs";
import type { Database, Query } from "../database/database";
import { QueueFullError, TenantBusyError, TenantConflictError } from "../system/errors";
import { hashInTurn } from "./hashes";
import { recall, remember, type IdempotencyKey } from "./idempotency";
import type { Asked, Kind } from "./kinds/kind";
import type { Operation } from "./store/operation";
import { countAlive, insertOperation, keepOthersWaiting } from "./store/store";

/** A request for an operation: of which kind, for which tenant, and from whom. */
export interface Asking<Request extends object> extends Asked<Request> {
  readonly kind: Kind<Request>;
  /** The caller's `Idempotency-Key`. */
  readonly key?: string | undefined;
}

/** What an acceptance depends on besides the request. */
export interface AcceptSettings {
  /** How many operations may wait or run, of all instances. */
  readonly limit: number;
  /** How many days a tenant that is deleted is kept before it is purged by itself. */
  readonly purgeAfterDays: number;
  /** Puts the operation's job into the queue, in the transaction that accepts it. Default: {@link enqueue}. */
  readonly enqueue?: (query: Query, operationId: string) => Promise<void>;
}

/**
 * Accepts a request. One transaction changes what is wanted of the tenant, makes the operation's row
 * and queues its job, so that none of the three is ever there without the others. A request whose
 * Idempotency-Key was sent before gets the operation that the first one made.
 *
 * @returns the operation; undefined where the tenant is already as it is asked for.
 * @throws {@link TenantConflictError} where the slug or the tenant is somebody else's.
 * @throws {@link TenantBusyError} where another operation of the tenant waits or runs.
 * @throws TenantUnknownError where there is no tenant with the id.
 * @throws KeyReusedError where the key was sent with another request.
 * @throws {@link QueueFullError} where `limit` operations wait or run; HashesFullError where too many passwords wait.
 * @throws DatabaseDownError
 */
export async function accept<Request extends object>(
  database: Database,
  asking: Asking<Request>,
  settings: AcceptSettings,
): Promise<Operation | undefined> {
  if (asking.key === undefined) return acceptNew(database, asking, settings);
  const key = { key: asking.key, subject: asking.asker.subject ?? "" };
  const known = await recall(database.query, key, asking);
  if (known !== undefined) return known.operation;
  try {
    return await acceptNew(database, asking, settings, key);
  } catch (error) {
    if (!(error instanceof TenantConflictError || error instanceof TenantBusyError)) throw error;
    // The same request may have been sent twice at once: the first one took the slug, and the second is
    // refused for it. Its key tells that it is the same one, and so it gets the first one's operation.
    const twin = await recall(database.query, key, asking);
    if (twin !== undefined) return twin.operation;
    if (error instanceof TenantConflictError) {
      await remember(database.query, key, asking, { conflict: error.message });
    }
    throw error;
  }
}

async function acceptNew<Request extends object>(
  database: Database,
  { kind, request, tenantId, asker }: Asking<Request>,
  { limit, purgeAfterDays, enqueue: queue = enqueue }: AcceptSettings,
  key?: IdempotencyKey,
): Promise<Operation | undefined> {
  const asked = { request, tenantId, asker };
  // Hashing the password is the most expensive part, so what can be refused is refused before it.
  await kind.refuse?.(database.query, asked);
  if ((await countAlive(database.query)) >= limit) throw new QueueFullError();
  const { hash } = kind;
  const passwordHash = hash && (await hashInTurn(() => hash(request)));
  return database.transaction(async (query) => {
    const accepted = await kind.want(query, asked, { passwordHash, purgeAfterDays });
    if (accepted === undefined) {
      if (key !== undefined) await rememberOnce(query, key, { kind, ...asked }, {});
      return undefined;
    }
    const id = randomUUID();
    const steps = kind.steps.map((name) => ({ name, status: "pending" as const }));
    const draft = { ...accepted, id, kind: kind.name, subject: asker.subject, steps };
    const operation = await insertOperation(query, draft);
    if (operation === undefined) {
      throw new TenantBusyError("Another operation of the tenant is under way");
    }
    const stands = { operationId: id, passwordHash };
    if (key !== undefined) await rememberOnce(query, key, { kind, ...asked }, stands);
    await queue(query, id);
    // Others may have been accepted since the count above. The lock is taken as late as possible, because
    // every other acceptance waits for it until this transaction commits.
    await keepOthersWaiting(query);
    if ((await countAlive(query)) > limit) throw new QueueFullError();
    return operation;
  });
}

/** @throws {@link TenantConflictError} where another request was remembered for the key since it was recalled. */
async function rememberOnce(
  query: Query,
  ...what: Tail<Parameters<typeof remember>>
): Promise<void> {
  if (await remember(query, ...what)) return;
  throw new TenantConflictError("The Idempotency-Key is in use already");
}

type Tail<All extends unknown[]> = All extends [unknown, ...infer Rest] ? Rest : never;
