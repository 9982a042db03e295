import { randomUUID } from "node:crypto";
import type { Logger } from "pino";
import type { Database } from "../database/database";
import type { EngineRuns, RunOutcome } from "../pulumi/engine-runs";
import {
  RunFailedError,
  StateBehindError,
  TakenOverError,
  TenantConflictError,
  TenantUnknownError,
  UnavailableError,
} from "../system/errors";
import { tenantById } from "../tenants/tenants";
import { wantedWith } from "../tenants/wanted";
import { declarationOf, isLost } from "../tenants/wanted-tenant";
import { conclude, isApplied, RETRIES, RETRIES_OF_STATE } from "./conclude";
import { setFollowed } from "./follow-rollouts";
import { kindOf, nameOf } from "./kinds";
import { recordSteps } from "./progress";
import { runsFor } from "./runs-for";
import type { Failure, Operation } from "./store/operation";
import { begin, fail, succeed, tryAgain } from "./store/store";

/** What is needed to run operations. */
export interface OperationParts {
  readonly database: Database;
  readonly runs: EngineRuns;
  readonly log: Logger;
  /** The pause before the first retry of a failure that may be temporary; it doubles with each retry. */
  readonly retryDelayMs: number;
}

/** The longest pause between two tries. */
const LONGEST_DELAY_MS = 5 * 60_000;

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
    await end(database, operation);
    log.info(`${nameOf(operation)} succeeded`);
  } catch (error) {
    if (error instanceof TakenOverError) throw error;
    // Its caller was answered, and the next operation may have been accepted: it cannot fail any more.
    const applied = await isApplied(database.query, operation);
    const isBehind = applied || error instanceof StateBehindError;
    const retries = isBehind ? RETRIES_OF_STATE : RETRIES;
    if (error instanceof UnavailableError && operation.retries < retries) {
      const delayMs = Math.min(parts.retryDelayMs * 2 ** operation.retries, LONGEST_DELAY_MS);
      log.warn({ err: error, delayMs }, `tried again later: ${error.message}`);
      await tryAgain(database, operation, delayMs);
      return;
    }
    if (!applied) {
      await endFailed(database, operation, error, log);
      return;
    }
    log.error({ err: error }, `the state of ${nameOf(operation)} is behind`);
    await end(database, operation);
  }
}

async function bringToWanted(operation: Operation, parts: OperationParts): Promise<void> {
  const { database, runs, log } = parts;
  const { kind, tenantId } = operation;
  await database.withTenantLock(tenantId, async (query) => {
    const stack = await wantedWith(query, tenantId);
    const wanted = stack.find(({ id }) => id === tenantId);
    if (wanted === undefined) throw new TenantUnknownError();
    const before = await tenantById(query, tenantId);
    if (kind !== "restore" && isLost(before, wanted)) {
      const what = "was marked deleted without anybody having asked for it, and is restored";
      log.warn(`${nameOf(operation)}: the tenant ${what}`);
    }
    const steps = recordSteps(database.query, operation);
    let outcome: RunOutcome = { result: "succeeded" };
    for (const { tenants, mayDelete, isLast } of runsFor(wanted, stack, before)) {
      const request = {
        ...{ tenantId, mayDelete },
        tenants: tenants.map(declarationOf),
      };
      // Shown are the steps of the run that brings the tenant to what is wanted.
      outcome = await runs.run(request, isLast ? steps.note : undefined);
      if (outcome.result !== "succeeded") break;
    }
    await steps.written();
    await conclude(operation, wanted, outcome, parts);
    await setFollowed(
      query,
      stack.map(({ id }) => id),
    );
  });
}

/** Writes the end of an operation that has succeeded, and what its kind does then, in one transaction. */
async function end(database: Database, operation: Operation): Promise<void> {
  await database.transaction(async (query) => {
    await succeed(query, operation);
    await kindOf(operation.kind).settle?.(query, operation);
  });
}

/**
 * Ends the operation as failed. After a conflict, what the operation wanted is taken back in the same
 * transaction: somebody else has the slug, so each later run of the stack would fail for it again.
 */
async function endFailed(
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

/** The failure as its caller may see it. The cause goes to the log, under the reference in the message. */
function failureOf(error: unknown, log: Logger): Failure {
  if (error instanceof TenantConflictError) {
    log.warn(error.message);
    return { kind: "conflict", message: error.message };
  }
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
