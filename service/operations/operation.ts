import type { TenantRequest } from "./kinds/setup-request";

/** The five steps of a set-up, in their order. */
export const stepNames = ["record", "admin", "schema", "migrations", "membership"] as const;

export type StepName = (typeof stepNames)[number];

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

/** A set-up that was accepted. */
export interface Operation {
  readonly id: string;
  readonly slug: string;
  readonly request: Omit<TenantRequest, "adminPassword">;
  readonly passwordHash: string;
  /** The `sub` of the token that asked; null for a token without one. */
  readonly subject: string | null;
  readonly status: "queued" | "running" | "succeeded" | "failed";
  readonly steps: readonly Step[];
  /** How often it was started. */
  readonly attempts: number;
  /** How often it failed for a reason that may heal, and was tried again. */
  readonly retries: number;
  readonly failure: Failure | null;
  /** Known as soon as the tenant is active, which may be before the engine has saved its state. */
  readonly tenantId: string | null;
  /** Grows with each change. */
  readonly version: number;
  readonly createdAt: Date;
  readonly startedAt: Date | null;
  readonly finishedAt: Date | null;
}

/** Whether nothing of the operation will change any more. */
export function isSettled({ status }: Operation): boolean {
  return status === "succeeded" || status === "failed";
}

/** Whether its caller can be told how it ends. A tenant that is active has all five steps behind it. */
export function isAnswerable(operation: Operation): boolean {
  return operation.tenantId !== null || isSettled(operation);
}
