/** Every error code that a body of the HTTP API can carry: docs/errors.md says what to do about each. */
export const errorCodes = [
  "INVALID_REQUEST",
  "UNAUTHENTICATED",
  "PERMISSION_DENIED",
  "NOT_FOUND",
  "METHOD_NOT_ALLOWED",
  "TENANT_CONFLICT",
  "TENANT_BUSY",
  "ROLLOUT_CONFLICT",
  "BODY_TOO_LARGE",
  "UNSUPPORTED_BODY",
  "KEY_REUSED",
  "RATE_LIMITED",
  "OPERATION_FAILED",
  "INTERNAL",
  "UNAVAILABLE",
  "QUEUE_FULL",
] as const;

export type ErrorCode = (typeof errorCodes)[number];

/** An error that this service throws on purpose. Clients decide by its code, so a code never changes its meaning. */
export abstract class DomainError extends Error {
  abstract readonly code: ErrorCode;
}

/** The request does not fit what is there: the slug is taken, or the tenant has another owner. */
export class TenantConflictError extends DomainError {
  override readonly name = "TenantConflictError";
  readonly code = "TENANT_CONFLICT";
}

/** Another operation on the tenant is under way. */
export class TenantBusyError extends DomainError {
  override readonly name = "TenantBusyError";
  readonly code = "TENANT_BUSY";
}

/** A rollout cannot be begun, or steered, as it was asked: the message says what is in the way. */
export class RolloutRefusedError extends DomainError {
  override readonly name = "RolloutRefusedError";
  readonly code = "ROLLOUT_CONFLICT";
}

/** There is no tenant with the id. */
export class TenantUnknownError extends DomainError {
  override readonly name = "TenantUnknownError";
  readonly code = "NOT_FOUND";

  constructor() {
    super("There is no such tenant");
  }
}

/** The Idempotency-Key was sent before with another request. */
export class KeyReusedError extends DomainError {
  override readonly name = "KeyReusedError";
  readonly code = "KEY_REUSED";

  constructor() {
    super("The Idempotency-Key was sent with another body before");
  }
}

/** Something that the service needs does not work now. Nothing is lost: the request can be sent again. */
export abstract class UnavailableError extends DomainError {
  readonly code: ErrorCode = "UNAVAILABLE";
}

/** The database does not answer, or answers that it cannot work now. */
export class DatabaseDownError extends UnavailableError {
  override readonly name = "DatabaseDownError";

  constructor(cause: unknown) {
    super(`the database is down: ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    });
  }
}

/** The Pulumi CLI does not start, or cannot open the state backend. */
export class EngineDownError extends UnavailableError {
  override readonly name = "EngineDownError";

  constructor(reason: string) {
    super(`the Pulumi engine is down: ${reason}`);
  }
}

/** Another instance, or a run that outlived its own, works on the same tenant. */
export class BusyError extends UnavailableError {
  override readonly name = "BusyError";
}

/** Another worker has started the operation since, so this one may not write to its row any more. */
export class TakenOverError extends DomainError {
  override readonly name = "TakenOverError";
  readonly code = "INTERNAL";

  constructor() {
    super("another start of the operation has begun since");
  }
}

/** The run was cut off: its host, the CLI, a plugin, dbmate or a connection died under it. */
export class InterruptedError extends UnavailableError {
  override readonly name = "InterruptedError";

  /** @param what The operation, in words for the log. */
  constructor(
    what: string,
    readonly faults: readonly string[],
  ) {
    super(`${what} was interrupted`);
  }
}

/** The tenant is as it is wanted, but the engine could not save its state. The next run of the stack saves it. */
export class StateBehindError extends UnavailableError {
  override readonly name = "StateBehindError";

  constructor(
    what: string,
    readonly faults: readonly string[],
  ) {
    super(`${what} is done, and its state is not saved`);
  }
}

/** As many operations wait or run as QUEUE_LIMIT allows. */
export class QueueFullError extends UnavailableError {
  override readonly name = "QueueFullError";
  override readonly code = "QUEUE_FULL";

  constructor() {
    super("as many operations wait as QUEUE_LIMIT lets");
  }
}

/** As many passwords wait to be hashed by this instance as its limit in operations/hashes.ts allows. */
export class HashesFullError extends UnavailableError {
  override readonly name = "HashesFullError";

  constructor() {
    super("as many passwords wait to be hashed as may");
  }
}

/** As many exports are under way in this instance as may: see tenants/exports.ts. */
export class ExportsFullError extends UnavailableError {
  override readonly name = "ExportsFullError";

  constructor() {
    super("as many exports are under way as may");
  }
}

/** The engine ran and failed. Where the request is sent again, it continues from where this one stopped. */
export class RunFailedError extends DomainError {
  override readonly name = "RunFailedError";
  readonly code = "OPERATION_FAILED";

  /**
   * @param what The operation, in words for the log.
   * @param faults The engine's error messages, for the operator only.
   */
  constructor(
    what: string,
    readonly faults: readonly string[],
  ) {
    super(`${what} failed`);
  }
}
