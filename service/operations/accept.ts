import { randomUUID } from "node:crypto";
import { hashPassword } from "../../provider/contract/passwords";
import { query } from "../database/database";
import { QueueFullError, TenantConflictError } from "../system/errors";
import { refuseTaken } from "./kinds/refuse-taken";
import type { TenantRequest } from "./kinds/setup-request";
import { findBySlug } from "../tenants/tenants";
import { hashInTurn } from "./hashes";
import { recall, remember, type IdempotencyKey } from "./idempotency";
import type { Operation } from "./operation";
import { countAlive, enqueue, insertOperation, keepOthersWaiting, transaction } from "./store";

/** A set-up that is asked for. */
export interface Asked {
  readonly request: TenantRequest;
  /** The `sub` of the token that asks. */
  readonly subject: string | null;
  /** The caller's `Idempotency-Key`. */
  readonly key?: string | undefined;
}

/**
 * Accepts a set-up: its row and its job, in one transaction, before any other work. A key that is
 * known gives the operation it stands for.
 *
 * @param limit How many operations may be alive.
 * @throws TenantConflictError, KeyReusedError, QueueFullError, HashesFullError, DatabaseDownError
 */
export async function accept(asked: Asked, limit: number): Promise<Operation> {
  if (asked.key === undefined) return acceptNew(asked, limit);
  const { request } = asked;
  const key = { key: asked.key, subject: asked.subject ?? "" };
  const known = await recall(key, request);
  if (known !== undefined) return known;
  try {
    return await acceptNew(asked, limit, key);
  } catch (error) {
    if (!(error instanceof TenantConflictError)) throw error;
    // The same request, sent twice at once, is in its own way.
    const twin = await recall(key, request);
    if (twin !== undefined) return twin;
    await remember(query, key, request, { conflict: error.message });
    throw error;
  }
}

async function acceptNew(
  { request, subject }: Asked,
  limit: number,
  key?: IdempotencyKey,
): Promise<Operation> {
  // A hash costs most of all, so what can be refused is refused before it.
  refuseTaken(await findBySlug(query, request.slug), request);
  if ((await countAlive(query)) >= limit) throw new QueueFullError();
  const id = randomUUID();
  const { adminPassword, ...rest } = request;
  const passwordHash = await hashInTurn(() => hashPassword(adminPassword, id));
  const draft = { id, slug: request.slug, request: rest, passwordHash, subject };
  return transaction(async (run) => {
    const operation = await insertOperation(run, draft);
    if (operation === undefined) {
      throw new TenantConflictError(`The slug ${request.slug} is being set up already`);
    }
    // Only now can no other operation end with the slug.
    refuseTaken(await findBySlug(run, request.slug), request);
    if (key !== undefined && !(await remember(run, key, request, { operationId: id }))) {
      throw new TenantConflictError("The Idempotency-Key is in use already");
    }
    await enqueue(run, id);
    // Others may have been accepted meanwhile. Last, so that they wait for no more than this commit.
    await keepOthersWaiting(run);
    if ((await countAlive(run)) > limit) throw new QueueFullError();
    return operation;
  });
}
