/** What is asked of the fleet does not fit what is there. The message says what to do, and holds no secret. */
export abstract class FleetError extends Error {}

/** There is no such rollout. */
export class RolloutUnknownError extends FleetError {
  override readonly name = "RolloutUnknownError";
}

/** Another rollout has not ended, or this one has, or it is run with other files. */
export class RolloutConflictError extends FleetError {
  override readonly name = "RolloutConflictError";
}

/** A slug is named that no tenant of the owner has. */
export class TenantsUnknownError extends FleetError {
  override readonly name = "TenantsUnknownError";
}
