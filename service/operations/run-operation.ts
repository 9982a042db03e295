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

/** What runs operations. */
export interface OperationParts {
  readonly database: Database;
  readonly runs: EngineRuns;
  /** Undefined for the package's own tenant migrations. */
  readonly migrationsDir: string | undefined;
  readonly log: Logger;
  /** How long the first failure that may heal is left alone; each one after it twice as long. */
  readonly retryDelayMs: number;
}

/** How often an operation is tried again after failures that may heal. */
const RETRIES = 5;

/** The same once the tenant is as wanted: nobody waits any more, and what is not saved is unfinished. */
const RETRIES_OF_STATE = 50;

/** The longest pause between two tries. */
const LONGEST_DELAY_MS = 5 * 60_000;

/** What is said of a tenant that is marked deleted although it is wanted. */
const LOST = "was marked deleted without anybody having asked for it";

/**
 * Runs one operation to its end, or to where it is tried again later: brings the tenant's stack to what
 * is wanted, and concludes from what there is then.
 *
 * @throws DatabaseDownError when the end cannot be written: the queue runs it again. TakenOverError when
 * another start has begun meanwhile: returned from, the queue would delete the job, which is that one's.
 */
export async function runOperation(id: string, parts: OperationParts): Promise<void> {
  const { database } = parts;
  const operation = await begin(database.query, id);
  // A lost race: another start has brought it to its end.
  if (operation === undefined) return;
  const { kind, tenantId, slug } = operation;
  const log = parts.log.child({ operation: id, kind, tenant: tenantId, slug });
  try {
    await bringToWanted(operation, { ...parts, log });
    await succeed(database.query, operation);
    log.info(`${nameOf(operation)} succeeded`);
  } catch (error) {
    if (error instanceof TakenOverError) throw error;
    const retries = error instanceof StateBehindError ? RETRIES_OF_STATE : RETRIES;
    if (error instanceof UnavailableError && operation.retries < retries) {
      const delayMs = Math.min(parts.retryDelayMs * 2 ** operation.retries, LONGEST_DELAY_MS);
      log.warn({ err: error, delayMs }, `tried again later: ${error.message}`);
      await tryAgain(database, operation, delayMs);
      return;
    }
    await end(database, operation, error, log);
  }
}

async function bringToWanted(operation: Operation, parts: OperationParts): Promise<void> {
  const { database, runs, migrationsDir } = parts;
  const { tenantId } = operation;
  await database.withTenantLock(tenantId, async (query) => {
    const wanted = await wantedWith(query, tenantId);
    if (wanted.length === 0) throw new TenantUnknownError();
    const before = await tenantById(query, tenantId);
    if (before !== undefined && isLost(before)) {
      parts.log.warn(`${nameOf(operation)}: the tenant ${LOST}, and is restored`);
    }
    const tenants = wanted.map((tenant) => declarationOf(tenant, migrationsDir));
    const steps = recordSteps(database.query, operation);
    const { mayDelete } = kindOf(operation.kind);
    const outcome = await runs.run({ tenantId, tenants, mayDelete }, steps.note);
    await steps.written();
    await conclude(operation, outcome, parts);
  });
}

/** Decides by what is in the database: a tenant that is as it is wanted has all steps behind it. */
async function conclude(
  operation: Operation,
  outcome: RunOutcome,
  { database, runs, log }: OperationParts,
): Promise<void> {
  const { tenantId, slug, retries } = operation;
  const what = nameOf(operation);
  const faults = outcome.result === "succeeded" ? [] : outcome.faults;
  // Whatever the tenant's status: nobody mends it but the operator.
  if (outcome.result === "refused") throw new RunFailedError(what, faults);
  // A run that was cut off may have left a state that is behind the database.
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
  const untold = `the engine tells of no fault, and the tenant is ${tenant?.status ?? "not there"}`;
  throw new RunFailedError(what, faults.length > 0 ? faults : [untold]);
}

/**
 * Whether the tenant is as the operation was to make it. One that was applied stays so: what is wanted of the
 * tenant may have changed since, by the next operation.
 */
async function isDone(query: Query, { id, tenantId }: Operation): Promise<boolean> {
  const now = await findOperation(query, id);
  return (now !== undefined && now.appliedAt !== null) || isAsWanted(query, tenantId);
}

/** Ends it as failed. What cannot be had, since somebody else has it, is not wanted any longer. */
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

/** What the caller is told; the log has the rest. */
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
