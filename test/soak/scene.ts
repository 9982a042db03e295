import type { ChildProcess } from "node:child_process";
import type { Instance } from "./instance";
import type { Ledger } from "./ledger";

/** Where archives are kept, and what makes tenants from them. */
export interface Archives {
  readonly folder: string;
  /** The environment of the command; undefined where tenants have roles, and it imports none. */
  readonly env: NodeJS.ProcessEnv | undefined;
  /** Every process that the command was. */
  readonly commands: ChildProcess[];
}

/** What callers share. */
export interface Scene {
  readonly instances: readonly Pick<Instance, "url">[];
  readonly secret: string;
  readonly ledger: Ledger;
  readonly archives: Archives;
  /** When there was trouble last, as performance.now() tells it. */
  readonly lastTrouble: () => number;
}
