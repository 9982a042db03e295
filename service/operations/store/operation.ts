import type { StepName } from "../../pulumi/steps";

/** How far one step is. Times are ISO 8601. */
export interface Step {
  readonly name: StepName;
  readonly status: "pending" | "running" | "succeeded" | "failed";
  readonly startedAt?: string;
  readonly endedAt?: string;
  /** What the caller may know of why it failed. */
  readonly error?: string;
}

/** Why an operation failed, in words for its caller. */
export interface Failure {
  /** `conflict`: 409. `unavailable`: 503. `failed`: 500, with a reference to the operator's log. */
  readonly kind: "conflict" | "unavailable" | "failed";
  readonly message: string;
  readonly reference?: string;
}

/** The verbs, by the names that operations carry. */
export type KindName = "setup" | "change";

/** Something that the service was asked to do with a tenant, and accepted. */
export interface Operation {
  readonly id: string;
  readonly kind: KindName;
  /** Known from the beginning, also where the tenant is still to be made. */
  readonly tenantId: string;
  /** The slug that the tenant has when the operation has succeeded. */
  readonly slug: string;
  /** What was asked, without passwords. */
  readonly request: Readonly<Record<string, unknown>>;
  /** What was wanted of the tenant before, where that can be taken back; else null. */
  readonly previous: Readonly<Record<string, unknown>> | null;
  /** The `sub` of the token that asked; null for a token without one. */
  readonly subject: string | null;
  readonly status: "queued" | "running" | "succeeded" | "failed";
  readonly steps: readonly Step[];
  /** How often it was started. */
  readonly attempts: number;
  /** How often it failed for a reason that may heal, and was tried again. */
  readonly retries: number;
  readonly failure: Failure | null;
  /** Grows with each change. */
  readonly version: number;
  readonly createdAt: Date;
  readonly startedAt: Date | null;
  /** When the tenant was as it is wanted, which may be before the engine has saved its state. */
  readonly appliedAt: Date | null;
  readonly finishedAt: Date | null;
}

/** Whether nothing of the operation will change any more. */
export function isSettled({ status }: Operation): boolean {
  return status === "succeeded" || status === "failed";
}

/** Whether its caller can be told how it ends. */
export function isAnswerable(operation: Operation): boolean {
  return operation.appliedAt !== null || isSettled(operation);
}

/** What an operation is accepted with. */
export interface Accepted {
  readonly tenantId: string;
  /** The slug that the tenant is to have at the end. */
  readonly slug: string;
  /** What was asked, without passwords. */
  readonly request: Readonly<Record<string, unknown>>;
  /** What was wanted before, where the kind can take its change back. */
  readonly previous?: Readonly<Record<string, unknown>>;
}
