import type { VerbBody, VerbName } from "./tenant-life";

/** A request for one tenant, and what its caller was told. Times are in ms by one clock. */
export interface Told {
  readonly sentAt: number;
  /** Infinity where no answer came, or one that does not say what became of it. */
  readonly endedAt: number;
  readonly verb: VerbName | "view";
  readonly body: VerbBody;
  /**
   * `done`: it was accepted, or there was nothing to do. `refused`: 409 for the tenant's status, or for a slug.
   * `gone`: 404. `unknown`: nothing is promised. What a view has shown is in {@link Told.shown}.
   */
  readonly answer: "done" | "refused" | "gone" | "unknown";
  readonly shown?: Shown;
}

/** What callers see of a tenant. */
export interface Shown {
  readonly status: string;
  readonly name: string;
  readonly slug: string;
}
