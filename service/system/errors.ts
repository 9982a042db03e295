/** The slug is another tenant's, or an unfinished set-up's that this request does not go on with. */
export class TenantConflictError extends Error {
  override readonly name = "TenantConflictError";
}

/** The Idempotency-Key stands for another request. */
export class KeyReusedError extends Error {
  override readonly name = "KeyReusedError";

  constructor() {
    super("The Idempotency-Key was sent with another body before");
  }
}

/** Something the service needs does not answer. Nothing is lost: the request can be sent again. */
export abstract class UnavailableError extends Error {}

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
export class SetUpBusyError extends UnavailableError {
  override readonly name = "SetUpBusyError";
}

/** Another start of the operation has begun since: what this one would write is not its own any more. */
export class TakenOverError extends Error {
  override readonly name = "TakenOverError";

  constructor() {
    super("another start of the operation has begun since");
  }
}

/** The run was cut off: its host, the CLI, a plugin, dbmate or a connection died under it. */
export class InterruptedError extends UnavailableError {
  override readonly name = "InterruptedError";

  constructor(
    slug: string,
    readonly faults: readonly string[],
  ) {
    super(`the set-up of tenant ${slug} was interrupted`);
  }
}

/** The tenant is active, and the engine could not save its state: the next run brings that up to it. */
export class StateBehindError extends UnavailableError {
  override readonly name = "StateBehindError";

  constructor(
    slug: string,
    readonly faults: readonly string[],
  ) {
    super(`tenant ${slug} is active, and its state is not saved`);
  }
}

/** As many set-ups wait as may. */
export class QueueFullError extends UnavailableError {
  override readonly name = "QueueFullError";

  constructor() {
    super("as many set-ups wait as QUEUE_LIMIT lets");
  }
}

/** As many passwords wait to be hashed by this instance as may. */
export class HashesFullError extends UnavailableError {
  override readonly name = "HashesFullError";

  constructor() {
    super("as many passwords wait to be hashed as may");
  }
}

/** The engine ran and failed. Sending the request again goes on from where it stopped. */
export class SetUpFailedError extends Error {
  override readonly name = "SetUpFailedError";

  /** @param faults What the engine said, for the operator only. */
  constructor(
    slug: string,
    readonly faults: readonly string[],
  ) {
    super(`the set-up of tenant ${slug} failed`);
  }
}
