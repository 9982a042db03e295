import type { TenantDeclaration } from "../../program/stack";
import type { StepEvent } from "./steps";

/** What a run brings a stack to, and what it may take away for that. */
export interface RunRequest {
  /** The tenant that the run is for; its stack is the one that is run. */
  readonly tenantId: string;
  /** Every tenant that the stack is to hold. */
  readonly tenants: readonly TenantDeclaration[];
  /**
   * What the verb behind the run asks to have deleted, replaced things included. Where that is nothing,
   * what the run makes is protected, and a run that deletes all the same has not succeeded.
   */
  readonly mayDelete: "nothing" | "anything";
}

/** How an engine run ended. Data, because it comes from another process. */
export type RunOutcome =
  | { readonly result: "succeeded" }
  | {
      /**
       * `failed`: over the tenant itself. `no engine`: before it came to the tenant. `locked`: another
       * run, which may be alive, holds the stack. `no stack`: the state backend does not have it.
       * `no state`: what the backend has of it cannot be read.
       * `refused`: the database is not the one that the state is about, or data is gone; so will be the
       * next. `interrupted`: a process or a connection died under the run, or it did something else than
       * it was asked to, and another run may go through.
       */
      readonly result:
        "failed" | "no engine" | "locked" | "no stack" | "no state" | "refused" | "interrupted";
      /** What the engine said, for the operator. */
      readonly faults: readonly string[];
    };

/** Runs of the Pulumi engine, each in a process that has no other at the time. */
export interface EngineRuns {
  /**
   * Brings the tenant's stack to what is wanted. What goes wrong with that is in the outcome.
   *
   * @throws DatabaseDownError when it cannot be known which stack that is.
   */
  readonly run: (request: RunRequest, onStep?: (event: StepEvent) => void) => Promise<RunOutcome>;
  /** From now on runs are begun ahead. Only an instance that the others know to be alive may do so. */
  readonly startAhead: () => void;
  /** Starts the CLI on the state backend; tells what is wrong, undefined when it works. */
  readonly tryEngine: () => Promise<string | undefined>;
  /** Ends every process of it: after its run, or at once. */
  readonly close: (when: "finished" | "now") => Promise<void>;
}
