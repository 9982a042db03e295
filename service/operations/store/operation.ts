import type { StepName } from "../../pulumi/steps";

/** How far one step is. Times are ISO 8601. */
export interface Step {
  readonly name: StepName;
  readonly status: "pending" | "running" | "succeeded" | "failed";
  readonly startedAt?: string;
  readonly endedAt?: string;
  /** Why it failed, in words for the caller. */
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
export type KindName =
  "setup" | "change" | "suspend" | "resume" | "delete" | "restore" | "purge" | "release" | "adopt";

/** A request to do something with a tenant that the service has accepted, and how far it is. */
export interface Operation {
  readonly id: string;
  readonly kind: KindName;
  /** Chosen when the operation is accepted, also where the tenant is still to be made. */
  readonly tenantId: string;
  /** The slug that the tenant has when the operation has succeeded. */
  readonly slug: string;
  /** What was asked, without what is about a person: passwords, e-mails, people's names. */
  readonly request: Readonly<Record<string, unknown>>;
  /** What was wanted before, for kinds that can take their change back; else null. */
  readonly previous: Readonly<Record<string, unknown>> | null;
  /** The `sub` of the token that asked; null for a token without one. */
  readonly subject: string | null;
  readonly status: "queued" | "running" | "succeeded" | "failed";
  readonly steps: readonly Step[];
  /** How often it was started, retries and starts after a kill included. */
  readonly attempts: number;
  /** How often it was retried after a failure that may have been temporary. */
  readonly retries: number;
  readonly failure: Failure | null;
  /** Grows with each change of the row, by the table's trigger. */
  readonly version: number;
  readonly createdAt: Date;
  readonly startedAt: Date | null;
  /** When the tenant was found as it is wanted: mostly before the engine has saved its state. */
  readonly appliedAt: Date | null;
  readonly finishedAt: Date | null;
}

/** Whether the operation has ended, so that nothing of it will change any more. */
export function isSettled({ status }: Operation): boolean {
  return status === "succeeded" || status === "failed";
}

/** Whether its caller can be answered: it has ended, or the tenant is as it is wanted. */
export function isAnswerable(operation: Operation): boolean {
  return operation.appliedAt !== null || isSettled(operation);
}

/** What a kind gives for the row of an operation that it accepts. */
export interface Accepted {
  readonly tenantId: string;
  /** The slug that the tenant has when the operation has succeeded. */
  readonly slug: string;
  /** What was asked, without what is about a person: passwords, e-mails, people's names. */
  readonly request: object;
  /** What was wanted before, where the kind can take its change back. */
  readonly previous?: Readonly<Record<string, unknown>>;
}
