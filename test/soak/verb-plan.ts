import { verbNames, type VerbBody, type VerbName } from "../support/tenant-life";
import type { Random } from "./random";

/** A verb that is sent for a tenant, or a look at it. */
export interface PlannedVerb {
  readonly verb: VerbName | "view";
  /** A purge without a slug gets the one that the tenant is known by. */
  readonly body: VerbBody;
}

/** What a caller does to tenants that are there. `target` is which of those that are known. */
export type VerbAction = { readonly target: number } & (
  | { readonly does: "send a verb"; readonly planned: PlannedVerb }
  | {
      readonly does: "send a verb and follow it";
      readonly planned: PlannedVerb;
      readonly events: boolean;
    }
  /** Waits so many ms and no longer. */
  | {
      readonly does: "hang up on a verb";
      readonly planned: PlannedVerb;
      readonly after: number;
    }
  /** The same request with the same key, each so many ms after the one before. */
  | {
      readonly does: "send a verb with a key";
      readonly planned: PlannedVerb;
      readonly key: string;
      readonly pauses: readonly number[];
    }
  /** To one tenant, from both instances. */
  | { readonly does: "send verbs at once"; readonly many: readonly PlannedVerb[] }
  | { readonly does: "send a verb badly"; readonly fault: number }
);

/** How often of a hundred which verb is sent. A verb that does not fit the tenant's status is refused. */
const shares = {
  ...{ change: 15, suspend: 15, resume: 12, delete: 17, restore: 13, purge: 10 },
  ...{ release: 5, adopt: 7 },
} satisfies Record<VerbName, number>;

/** What a caller does to tenants that are there, where `word` is its own: see {@link VerbAction}. */
export function verbAction(
  does: VerbAction["does"],
  word: string,
  before: readonly string[],
  random: Random,
): VerbAction {
  const target = random.integer(0, 1_000);
  const planned = () => verbOf(word, before, random);
  switch (does) {
    case "send a verb":
      return { does, target, planned: planned() };
    case "send a verb and follow it":
      return { does, target, planned: planned(), events: random.percent(30) };
    case "hang up on a verb":
      return { does, target, planned: planned(), after: random.integer(0, 600) };
    case "send a verb with a key": {
      const pauses = Array.from({ length: random.integer(1, 3) }, () => random.integer(0, 2_000));
      return { does, target, planned: planned(), key: `verb-of-${word}`, pauses };
    }
    case "send verbs at once":
      return { does, target, many: Array.from({ length: random.integer(3, 8) }, planned) };
    case "send a verb badly":
      return { does, target, fault: random.integer(0, 1_000) };
  }
}

function verbOf(word: string, before: readonly string[], random: Random): PlannedVerb {
  const verb = pickVerb(random);
  // A slug of one's own, or one that somebody has or had.
  const slug = () =>
    random.percent(60) || before.length === 0
      ? `${word}-${random.integer(1, 99)}`
      : random.pick(before);
  switch (verb) {
    case "change": {
      const name = `Renamed ${random.integer(1, 999)}`;
      const both = { name, slug: slug() };
      return { verb, body: random.pick([{ name }, { slug: both.slug }, both]) };
    }
    case "restore":
      return { verb, body: random.percent(60) ? {} : { slug: slug() } };
    case "purge":
      return { verb, body: random.percent(90) ? {} : { slug: `not-${word}` } };
    default:
      return { verb, body: {} };
  }
}

function pickVerb(random: Random): PlannedVerb["verb"] {
  let left = random.integer(1, 100);
  return verbNames.find((name) => (left -= shares[name]) <= 0) ?? "view";
}

/** A request for a tenant that is wrong in one way, and how it must be refused. */
export interface VerbFault {
  readonly what: string;
  readonly refusal: number;
  readonly method: "PATCH" | "POST" | "DELETE";
  /** After `/api/tenant/`. */
  readonly path: string;
  readonly body?: unknown;
  /** Whose token it comes with. Default: one with every permission that the verb needs. */
  readonly as?: "nobody" | "a forger" | "a setter";
}

/** Every way of sending a verb badly. */
export function verbFaultsOf(id: string): readonly VerbFault[] {
  const nobody = "00000000-0000-4000-8000-000000000000";
  const [post, patch, remove] = ["POST", "PATCH", "DELETE"] as const;
  return [
    { what: "no token", refusal: 401, method: remove, path: id, as: "nobody" },
    { what: "a forged token", refusal: 401, method: remove, path: id, as: "a forger" },
    { what: "a token for set-ups", refusal: 403, method: remove, path: id, as: "a setter" },
    { what: "nothing to change", refusal: 400, method: patch, path: id, body: {} },
    { what: "a status", refusal: 400, method: patch, path: id, body: { status: "deleted" } },
    { what: "no slug", refusal: 400, method: patch, path: id, body: { slug: "Not A Slug" } },
    { what: "a field too many", refusal: 400, method: post, path: `${id}/resume`, body: { a: 1 } },
    { what: "a purge without a slug", refusal: 400, method: post, path: `${id}/purge` },
    { what: "nobody's id", refusal: 404, method: post, path: `${nobody}/suspend` },
    { what: "no id", refusal: 400, method: post, path: "anybody/suspend" },
    { what: "no verb", refusal: 404, method: post, path: `${id}/explode` },
  ];
}
