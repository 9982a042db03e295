/** The five steps of a tenant, in their order. */
export const stepNames = ["record", "admin", "schema", "migrations", "membership"] as const;

/** The name of a step. */
export type StepName = (typeof stepNames)[number];

/** What the engine reports of a step while it runs. */
export interface StepEvent {
  /** The tenant's id. */
  readonly tenantId: string;
  readonly step: StepName;
  readonly status: "running" | "succeeded" | "failed";
}
