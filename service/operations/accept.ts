import { randomUUID } from "node:crypto";
import { hashPassword } from "../../provider/passwords";
import { query } from "../database";
import { TenantConflictError, QueueFullError } from "../errors";
import { findBySlug } from "../tenants";
import { refuseTaken } from "../setup/refuse-taken";
import type { TenantRequest } from "../setup/request";
import type { Operation } from "./operation";
import { countAlive, enqueue, insertOperation, transaction } from "./rows";

/** A set-up that is asked for. */
export interface Asked {
  readonly request: TenantRequest;
  /** The `sub` of the token that asks. */
  readonly subject: string | null;
}

/**
 * Accepts a set-up: its row and its job, in one transaction, before any other work.
 *
 * @param limit How many operations may be alive.
 * @throws TenantConflictError, QueueFullError, DatabaseDownError
 */
export async function accept({ request, subject }: Asked, limit: number): Promise<Operation> {
  // A hash costs most of all, so what can be refused is refused before it.
  refuseTaken(await findBySlug(query, request.slug), request);
  if ((await countAlive()) >= limit) throw new QueueFullError();
  const id = randomUUID();
  const { adminPassword, ...rest } = request;
  const passwordHash = await hashPassword(adminPassword, id);
  const draft = { id, slug: request.slug, request: rest, passwordHash, subject };
  return transaction(async (run) => {
    const operation = await insertOperation(run, draft);
    if (operation === undefined) throw alreadyAlive(request.slug);
    // Only now can no other operation end with the slug.
    refuseTaken(await findBySlug(run, request.slug), request);
    await enqueue(run, id);
    return operation;
  });
}

function alreadyAlive(slug: string): TenantConflictError {
  return new TenantConflictError(`The slug ${slug} is being set up already`);
}
