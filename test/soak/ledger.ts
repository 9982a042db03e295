import type { VerbBody, VerbName } from "../support/tenant-life";

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
  /** There was nobody to connect to. */
  | "not sent"
  /** The connection broke. */
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
  /** In ms, by {@link clockMs}. */
  readonly sentAt: number;
  endedAt: number;
  outcome: Outcome;
  /** The `message` of an error's body. */
  message?: string | undefined;
}

/** A verb that was sent for a tenant, or a look at it, and what came of it. */
export interface VerbAsked {
  /** What the caller was about, as the plan calls it. */
  readonly what: string;
  readonly tenantId: string;
  readonly verb: VerbName | "view";
  readonly body: VerbBody;
  readonly key?: string | undefined;
  /** The status it must get for what is wrong with it; undefined for a good request. */
  readonly refusal?: number | undefined;
  /** In ms, by {@link clockMs}. */
  readonly sentAt: number;
  /** When its caller knew that it was done; Infinity where it never did. */
  endedAt: number;
  outcome: Outcome;
  /** The body of the answer. */
  answer: Readonly<Record<string, unknown>>;
}

/** A tenant that its callers know, and what they know of it. */
export interface Known {
  readonly id: string;
  slug: string;
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

/** An archive that came whole, and what is wrong with it. */
export interface Exported {
  readonly tenantId: string;
  fault: string | undefined;
}

/** A tenant that was made from an archive. */
export interface Imported {
  readonly slug: string;
  /** The name in the archive. */
  readonly name: string;
  /** What the command said that it has made. */
  readonly id?: string | undefined;
  /** `made`, or how the command ended at last. */
  readonly outcome: string;
}

/** Everything that the callers did and were told. */
export class Ledger {
  readonly asked: Asked[] = [];
  readonly verbs: VerbAsked[] = [];
  readonly known: Known[] = [];
  readonly followed: Followed[] = [];
  readonly reads: Read[] = [];
  readonly exports: Exported[] = [];
  readonly imports: Imported[] = [];

  /** How many requests were answered. */
  get answered(): number {
    return [...this.asked, ...this.verbs].filter(({ outcome }) => typeof outcome === "object")
      .length;
  }

  /** How many requests had each outcome: a status, or words. */
  get outcomes(): ReadonlyMap<string, number> {
    return tally(this.all.map(({ outcome }) => nameOf(outcome)));
  }

  /** How many requests were about what. */
  get kinds(): ReadonlyMap<string, number> {
    return tally(this.all.map(({ what }) => what));
  }

  /** How often each verb had each outcome. */
  get outcomesOfVerbs(): ReadonlyMap<string, number> {
    const good = this.verbs.filter(({ refusal }) => refusal === undefined);
    return tally(good.map(({ verb, outcome }) => `${verb}: ${nameOf(outcome)}`));
  }

  /** How many requests there were. */
  get sent(): number {
    return this.asked.length + this.verbs.length;
  }

  /** Notes what is known of a tenant. */
  learn(id: unknown, slug: unknown): void {
    if (typeof id !== "string" || typeof slug !== "string") return;
    const known = this.known.find((tenant) => tenant.id === id);
    if (known === undefined) this.known.push({ id, slug });
    else known.slug = slug;
  }

  private get all() {
    return [...this.asked, ...this.verbs, ...this.reads];
  }
}

/** The time in ms since 1970, which never goes back: what the database's clock says, as nearly as it matters. */
export function clockMs(): number {
  return performance.timeOrigin + performance.now();
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
