import type { TenantDeclaration } from "../../program/stack";

/** How an engine run ended. Data, because it comes from another process. */
export type RunOutcome =
  | { readonly result: "succeeded" }
  | {
      /** `locked`: another run, which may be alive, holds the stack. */
      readonly result: "failed" | "locked";
      /** What the engine said, for the operator. */
      readonly faults: readonly string[];
    };

/** Runs of the Pulumi engine, each in a process that has no other at the time. */
export interface EngineRuns {
  /** Brings the tenant's stack up. Never rejects: what goes wrong is in the outcome. */
  readonly run: (tenant: TenantDeclaration) => Promise<RunOutcome>;
  /** Starts the CLI on the state backend; tells what is wrong, undefined when it works. */
  readonly tryEngine: () => Promise<string | undefined>;
  /** Ends every process of it: after its run, or at once. */
  readonly close: (when: "finished" | "now") => Promise<void>;
}
