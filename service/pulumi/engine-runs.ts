import type { TenantDeclaration } from "../../program/stack";
import type { StepEvent } from "./steps";

/** What a run brings a stack to, and what it may delete for that. */
export interface RunRequest {
  /** The id of the tenant that the run is for; the run is one of its stack. */
  readonly tenantId: string;
  /** Every tenant that the stack is to hold. */
  readonly tenants: readonly TenantDeclaration[];
  /**
   * The ids of the tenants whose resources the run may delete; replacing counts as deleting. The resources of
   * all others are protected, and a run that deletes one all the same counts as interrupted.
   */
  readonly mayDelete: readonly string[];
}

/** How an engine run ended. Plain data and not an error, because it is sent from the program host's process. */
export type RunOutcome =
  | { readonly result: "succeeded" }
  | {
      /**
       * `failed`: an error over the tenant itself. `no engine`: an error before the program had its tenants.
       * `locked`: another run, which may be alive, holds the stack's lock. `no stack`: the state backend has
       * no such stack. `no state`: the stack's state cannot be read. `refused`: the database is not the one
       * that the state describes, or data is gone; every further run is refused too. `interrupted`: a
       * process or a connection died during the run, or the run did something that it was not asked to; another
       * run may succeed.
       */
      readonly result:
        "failed" | "no engine" | "locked" | "no stack" | "no state" | "refused" | "interrupted";
      /** The engine's error messages, for the operator. */
      readonly faults: readonly string[];
    };

/** Runs of the Pulumi engine, each in a process that has no other run at the time. */
export interface EngineRuns {
  /**
   * Brings the tenant's stack to what is wanted. Errors of the run are in the outcome.
   *
   * @throws DatabaseDownError when the tenant's stack cannot be looked up or assigned.
   */
  readonly run: (request: RunRequest, onStep?: (event: StepEvent) => void) => Promise<RunOutcome>;
  /**
   * Begins to start runs ahead and to make spare stacks. Not to be called before the instance holds the lock
   * that shows it alive: the other instances take back the stacks of one that does not.
   */
  readonly startAhead: () => void;
  /** Tries whether the CLI opens the state backend. Gives what is wrong; undefined when it works. */
  readonly tryEngine: () => Promise<string | undefined>;
  /** Ends all of its processes: after the runs that they have, or now. */
  readonly close: (when: "finished" | "now") => Promise<void>;
}
