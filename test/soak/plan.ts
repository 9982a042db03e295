import type { PlannedImport } from "./importer";
import type { Wanted } from "./ledger";
import type { Random } from "./random";
import { verbAction, type VerbAction } from "./verb-plan";

/** What a caller does next. `instance` is which of the two it would rather ask. */
export type Action = { readonly instance: number } & (
  | { readonly does: "set up" | "cut its body off"; readonly wanted: Wanted }
  /** Answered at once; the operation is polled, or its events are read, to its end. */
  | { readonly does: "ask and follow"; readonly wanted: Wanted; readonly events: boolean }
  /** The same slug many times at once, from both instances. */
  | { readonly does: "race"; readonly racers: readonly Wanted[] }
  | { readonly does: "burst"; readonly burst: readonly Wanted[] }
  /** A slug that was asked for before. */
  | { readonly does: "ask again"; readonly wanted: Wanted }
  /** The same request with the same key, `times` in all, each so many ms after the one before. */
  | {
      readonly does: "retry with a key";
      readonly wanted: Wanted;
      readonly key: string;
      readonly pauses: readonly number[];
      /** Another body, sent last with the same key. */
      readonly other?: Wanted | undefined;
    }
  /** Waits so many ms and no longer, then perhaps comes back with its key. */
  | {
      readonly does: "hang up";
      readonly wanted: Wanted;
      readonly after: number;
      readonly key?: string | undefined;
    }
  | { readonly does: "ask badly"; readonly wanted: Wanted; readonly fault: number }
  | { readonly does: "read" }
  /** `target` is which of the tenants that are known. */
  | { readonly does: "export and import"; readonly target: number; readonly planned: PlannedImport }
  | VerbAction
) & { readonly pause: number };

/** How often of a hundred a caller does what. */
const shares: readonly (readonly [Action["does"], number])[] = [
  ["set up", 10],
  ["ask and follow", 8],
  ["retry with a key", 8],
  ["hang up", 5],
  ["ask badly", 5],
  ["ask again", 6],
  ["race", 3],
  ["read", 2],
  ["export and import", 2],
  ["cut its body off", 1],
  ["burst", 1],
  ["send a verb", 20],
  ["send a verb and follow it", 8],
  ["send a verb with a key", 8],
  ["hang up on a verb", 4],
  ["send verbs at once", 6],
  ["send a verb badly", 3],
];

/** What one caller does, without end: the same again for the same numbers. */
export function* planOf(caller: string, random: Random): Generator<Action, never> {
  const before: Wanted[] = [];
  for (let turn = 1; ; turn += 1) {
    const wanted = tenantOf(`${caller}-${turn}`, random);
    const instance = random.integer(0, 1);
    // In ms. Nobody waits for long, and some not at all.
    const pause = random.percent(30) ? 0 : random.integer(0, 800);
    const action = actionOf(shareOf(random), wanted, before, random);
    if ("wanted" in action && action.does !== "ask badly") before.push(wanted);
    yield { ...action, instance, pause };
  }
}

type Undirected = Action extends infer One ? (One extends Action ? Bare<One> : never) : never;
type Bare<One> = Omit<One, "instance" | "pause">;

function shareOf(random: Random): Action["does"] {
  let left = random.integer(1, 100);
  return shares.find(([, share]) => (left -= share) <= 0)?.[0] ?? "set up";
}

function actionOf(
  does: Action["does"],
  wanted: Wanted,
  before: readonly Wanted[],
  random: Random,
): Undirected {
  const many = (count: number, suffix: (index: number) => string) =>
    Array.from({ length: count }, (_, index) => tenantOf(suffix(index), random));
  const key = `key-of-${wanted.slug}`;
  switch (does) {
    case "race": {
      const racers = many(random.integer(2, 6), () => wanted.slug);
      return { does, racers };
    }
    case "burst":
      return { does, burst: many(random.integer(4, 9), (index) => `${wanted.slug}-${index}`) };
    case "ask and follow":
      return { does, wanted, events: random.percent(30) };
    case "ask again": {
      if (before.length === 0) return { does: "set up", wanted };
      return { does, wanted: { ...wanted, slug: random.pick(before).slug } };
    }
    case "retry with a key": {
      const pauses = Array.from({ length: random.integer(1, 3) }, () => random.integer(0, 2_000));
      const other = random.percent(30) ? { ...wanted, name: `${wanted.name} Ltd` } : undefined;
      return { does, wanted, key, pauses, other };
    }
    case "hang up": {
      const after = random.integer(0, 1_200);
      return { does, wanted, after, key: random.percent(50) ? key : undefined };
    }
    case "ask badly":
      return { does, wanted, fault: random.integer(0, 1_000) };
    case "read":
      return { does };
    case "export and import": {
      const killAfter = random.percent(40) ? random.integer(500, 8_000) : undefined;
      const target = random.integer(0, 1_000);
      return { does, target, planned: { slug: `${wanted.slug}-copy`, killAfter } };
    }
    case "send a verb":
    case "send a verb and follow it":
    case "hang up on a verb":
    case "send a verb with a key":
    case "send verbs at once":
    case "send a verb badly":
      return verbAction(
        does,
        wanted.slug,
        before.map(({ slug }) => slug),
        random,
      );
    default:
      return { does, wanted };
  }
}

/** Some admins have more than one tenant, and the set-ups of those meet at one user. */
function tenantOf(slug: string, random: Random): Wanted {
  const adminEmail = random.percent(15)
    ? `agency-${random.integer(1, 3)}@many.example`
    : `admin-${random.integer(1, 999_999)}@${slug}.example`;
  return { slug, name: `The ${slug} company`, adminEmail };
}
