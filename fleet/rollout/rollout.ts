import type { MigrationDigests } from "../../provider/database/migrations";
import type { SessionLimits } from "../../provider/database/client-config";
import type { Choice } from "../choice";

/** In which order tenants are taken, of those with the same status: by age, or by the size of their schema. */
export const orders = ["oldest", "newest", "smallest"] as const;

/** How a rollout was asked for. It is kept in the rollout's row, and holds for everybody who runs it. */
export interface RolloutOptions extends Choice, SessionLimits {
  readonly order: (typeof orders)[number];
  /** How many tenants are migrated first, alone; the others only when all of these are well. */
  readonly canary: number;
  /** The rollout stops when so many tenants have failed; null for never. One canary that fails is always enough. */
  readonly maxFailures: number | null;
  /** How often a migration that does not get a lock is tried again. */
  readonly lockRetries: number;
}

/** What holds where nobody asks for anything else. */
export const usualOptions: RolloutOptions = {
  ...{ owner: "service", only: [], order: "oldest", canary: 0, maxFailures: null },
  ...{ lockTimeoutMs: 2_000, statementTimeoutMs: 3_600_000, lockRetries: 20 },
};

/** `running` is one that goes on when somebody runs it; the last three have ended, and a failed one can be resumed. */
export const rolloutStatuses = ["running", "paused", "cancelled", "succeeded", "failed"] as const;

/** One of {@link rolloutStatuses}. */
export type RolloutStatus = (typeof rolloutStatuses)[number];

/** What a rollout is to do. */
export interface Rollout {
  readonly id: string;
  readonly status: RolloutStatus;
  /** Why it was stopped, or has failed. */
  readonly reason: string | null;
  readonly files: MigrationDigests;
  readonly options: RolloutOptions;
}

/** How far a rollout is. */
export interface RolloutProgress extends Pick<Rollout, "id" | "status" | "reason"> {
  readonly tenants: number;
  readonly done: number;
  readonly failed: number;
  /** Those that were removed, or let go, before it was their turn. */
  readonly gone: number;
  /** Those that are being migrated. */
  readonly atWork: number;
}

/** A tenant that could not be migrated. */
export interface RolloutFailure {
  readonly slug: string;
  readonly tenantId: string;
  /** With the file's name and PostgreSQL's message. */
  readonly message: string;
}
