/** A tenant that is asked for. */
export interface Wanted {
  readonly slug: string;
  readonly name: string;
  readonly adminEmail: string;
}

/** How a request ended for its caller. */
export type Outcome =
  | { readonly status: number; readonly id?: string | undefined; readonly retryAfter?: boolean }
  /** The caller did not wait for the answer. */
  | "hung up"
  /** The connection broke, or there was nobody to connect to. */
  | "no answer"
  /** The caller lost patience, long after an answer was due. */
  | "timed out";

/** A request for a tenant, and what came of it. */
export interface Asked {
  /** What the caller was about, as the plan calls it. */
  readonly what: string;
  readonly wanted: Wanted;
  readonly key?: string | undefined;
  /** The statuses it must get for what is wrong with it; undefined for a good request. */
  readonly refusal?: number | undefined;
  outcome: Outcome;
}

/** What a caller read of an operation whose end it waited for. */
export interface Followed {
  readonly operation: string;
  readonly slug: string;
  readonly status: string;
  readonly tenantId?: string | undefined;
}

/** What a caller read that is no set-up, and the statuses that are right. */
export interface Read {
  readonly what: string;
  readonly right: readonly number[];
  readonly outcome: Outcome;
}

/** Everything that the callers did and were told. */
export class Ledger {
  readonly asked: Asked[] = [];
  readonly followed: Followed[] = [];
  readonly reads: Read[] = [];

  /** How many requests were answered. */
  get answered(): number {
    return this.asked.filter(({ outcome }) => typeof outcome === "object").length;
  }

  /** How many requests had each outcome: a status, or words. */
  get outcomes(): ReadonlyMap<string, number> {
    return tally([...this.asked, ...this.reads].map(({ outcome }) => nameOf(outcome)));
  }

  /** How many requests were about what. */
  get kinds(): ReadonlyMap<string, number> {
    return tally([...this.asked, ...this.reads].map(({ what }) => what));
  }
}

/** How often each name is in the list, by name. */
function tally(names: readonly string[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const name of [...names].sort()) counts.set(name, (counts.get(name) ?? 0) + 1);
  return counts;
}

/** An outcome in a word or two. */
export function nameOf(outcome: Outcome): string {
  return typeof outcome === "string" ? outcome : String(outcome.status);
}
