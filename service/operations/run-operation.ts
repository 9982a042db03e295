import { randomUUID } from "node:crypto";
import type { Logger } from "pino";
import type { Database, Query } from "../database/database";
import type { EngineRuns, RunOutcome } from "../pulumi/engine-runs";
import {
  BusyError,
  EngineDownError,
  InterruptedError,
  RunFailedError,
  StateBehindError,
  TakenOverError,
  TenantConflictError,
  TenantUnknownError,
  UnavailableError,
} from "../system/errors";
import { isLost, tenantById, tenantBySlug } from "../tenants/tenants";
import { declarationOf, isAsWanted, wantedWith } from "../tenants/wanted";
import { kindOf } from "./kinds";
import type { Failure, Operation } from "./store/operation";
import { recordSteps } from "./progress";
import { begin, fail, findOperation, succeed, tryAgain } from "./store/store";

/** What is needed to run operations. */
export interface OperationParts {
  readonly database: Database;
  readonly runs: EngineRuns;
  readonly log: Logger;
  /** The pause before the first retry of a failure that may be temporary; it doubles with each retry. */
  readonly retryDelayMs: number;
}

/** How often an operation is retried after failures that may be temporary. */
const RETRIES = 5;

/**
 * The same once the tenant is as it is wanted and only the engine's state is not saved: its caller has the
 * answer already, so many retries make nobody wait, and without them the state would stay behind.
 */
const RETRIES_OF_STATE = 50;

/** The longest pause between two tries. */
const LONGEST_DELAY_MS = 5 * 60_000;

/** The log's words for a tenant that is marked deleted although the service wants it. */
const LOST = "was marked deleted without anybody having asked for it";

/**
 * Runs one operation: brings the tenant's stack to what is wanted, and decides by what is in the database
 * then whether it has succeeded, has failed, or is put back into the queue for a retry.
 *
 * @throws DatabaseDownError when the end cannot be written; the queue then runs the operation again.
 * @throws {@link TakenOverError} when another worker has started the operation meanwhile. It must be thrown:
 * after a normal return the queue would delete the job, and the other worker needs it.
 */
export async function runOperation(id: string, parts: OperationParts): Promise<void> {
  const { database } = parts;
  const operation = await begin(database.query, id);
  // Another worker has brought it to its end already.
  if (operation === undefined) return;
  const { kind, tenantId, slug } = operation;
  const log = parts.log.child({ operation: id, kind, tenant: tenantId, slug });
  try {
    await bringToWanted(operation, { ...parts, log });
    await succeed(database.query, operation);
    log.info(`${nameOf(operation)} succeeded`);
  } catch (error) {
    if (error instanceof TakenOverError) throw error;
    // Its caller was answered, and the next operation may have been accepted: it cannot fail any more.
    const applied = await isApplied(database.query, id);
    const isBehind = applied || error instanceof StateBehindError;
    const retries = isBehind ? RETRIES_OF_STATE : RETRIES;
    if (error instanceof UnavailableError && operation.retries < retries) {
      const delayMs = Math.min(parts.retryDelayMs * 2 ** operation.retries, LONGEST_DELAY_MS);
      log.warn({ err: error, delayMs }, `tried again later: ${error.message}`);
      await tryAgain(database, operation, delayMs);
      return;
    }
    if (!applied) {
      await end(database, operation, error, log);
      return;
    }
    log.error({ err: error }, `the state of ${nameOf(operation)} is behind`);
    await succeed(database.query, operation);
  }
}

async function bringToWanted(operation: Operation, parts: OperationParts): Promise<void> {
  const { database, runs } = parts;
  const { tenantId } = operation;
  await database.withTenantLock(tenantId, async (query) => {
    const wanted = await wantedWith(query, tenantId);
    if (wanted.length === 0) throw new TenantUnknownError();
    const before = await tenantById(query, tenantId);
    if (before !== undefined && isLost(before)) {
      parts.log.warn(`${nameOf(operation)}: the tenant ${LOST}, and is restored`);
    }
    const tenants = wanted.map(declarationOf);
    const steps = recordSteps(database.query, operation);
    const { mayDelete } = kindOf(operation.kind);
    const outcome = await runs.run({ tenantId, tenants, mayDelete }, steps.note);
    await steps.written();
    await conclude(operation, outcome, parts);
  });
}

/**
 * Decides how the operation ends. The database decides, not the engine's words: where the tenant is as it is
 * wanted, the operation has succeeded, also when the run ended with an error after that.
 *
 * @throws the error that the operation ends with; an UnavailableError where a retry may help.
 */
async function conclude(
  operation: Operation,
  outcome: RunOutcome,
  { database, runs, log }: OperationParts,
): Promise<void> {
  const { tenantId, slug, retries } = operation;
  const what = nameOf(operation);
  const faults = outcome.result === "succeeded" ? [] : outcome.faults;
  // Also where the tenant looks as wanted: a refused state stays refused until the operator repairs it.
  if (outcome.result === "refused") throw new RunFailedError(what, faults);
  // Before the database is asked: a run that was cut off may have changed the database and not saved that in
  // its state. Another run mends it.
  if (retries < RETRIES && outcome.result === "interrupted") {
    throw new InterruptedError(what, faults);
  }
  if (await isDone(database.query, operation)) {
    if (faults.length > 0 && retries < RETRIES_OF_STATE) throw new StateBehindError(what, faults);
    if (faults.length > 0) log.warn({ faults }, `the state of ${what} is behind`);
    return;
  }
  const holder = await tenantBySlug(database.query, slug);
  if (holder !== undefined && holder.id !== tenantId) {
    throw new TenantConflictError(`The slug ${slug} is taken`);
  }
  if (outcome.result === "interrupted") throw new InterruptedError(what, faults);
  if (outcome.result === "locked") {
    throw new BusyError(`the stack of tenant ${slug} is locked: ${faults.join(" | ")}`);
  }
  if (outcome.result === "no engine") throw new EngineDownError(faults.join(" | "));
  const tenant = await tenantById(database.query, tenantId);
  if (tenant !== undefined && isLost(tenant)) {
    throw new InterruptedError(what, [...faults, `the tenant ${LOST}`]);
  }
  const trouble = await runs.tryEngine();
  if (trouble !== undefined) throw new EngineDownError(trouble);
  const noFault = `the engine tells of no fault, and the tenant is ${tenant?.status ?? "not there"}`;
  throw new RunFailedError(what, faults.length > 0 ? faults : [noFault]);
}

/**
 * Whether the tenant is as the operation was to make it. One that was applied stays so: what is wanted of the
 * tenant may have changed since, by the next operation.
 */
async function isDone(query: Query, { id, tenantId }: Operation): Promise<boolean> {
  return (await isApplied(query, id)) || isAsWanted(query, tenantId);
}

async function isApplied(query: Query, id: string): Promise<boolean> {
  const now = await findOperation(query, id);
  return now !== undefined && now.appliedAt !== null;
}

/**
 * Ends the operation as failed. After a conflict, what the operation wanted is taken back in the same
 * transaction: somebody else has the slug, so each later run of the stack would fail for it again.
 */
async function end(
  database: Database,
  operation: Operation,
  error: unknown,
  log: Logger,
): Promise<void> {
  const failure = failureOf(error, log);
  await database.transaction(async (query) => {
    await fail(query, operation, failure);
    if (failure.kind === "conflict") await kindOf(operation.kind).takeBack(query, operation);
  });
}

const nameOf = ({ kind, slug }: Operation) => `${kindOf(kind).title} of tenant ${slug}`;

/** The failure as its caller may see it. The cause goes to the log, under the reference in the message. */
function failureOf(error: unknown, log: Logger): Failure {
  if (error instanceof TenantConflictError) return { kind: "conflict", message: error.message };
  const reference = randomUUID();
  const err = error instanceof Error ? error : new Error(String(error));
  log.error({ err, reference }, err.message);
  if (error instanceof UnavailableError) {
    return {
      kind: "unavailable",
      message: "Not possible just now; send the request again",
      reference,
    };
  }
  const again =
    error instanceof RunFailedError
      ? ". Sent again, the request goes on from where it stopped"
      : "";
  return {
    kind: "failed",
    message: `Failed; the operator of this service knows why, by reference ${reference}${again}`,
    reference,
  };
}
