import fc from "fast-check";
import { verbNames, type VerbBody, type VerbName } from "./tenant-life";
import type { Victim } from "./victims";

/** Few, so that one tenant often wants what another one has, or had. */
const slugs = ["apple", "birch", "cedar"] as const;

/** How many tenants there may be at once. */
export const PLACES = 2;

/** What is killed after so many ms, while a request is under way. */
interface Kill {
  readonly victim: Exclude<Victim, "PostgreSQL backend" | "PostgreSQL sessions">;
  readonly afterMs: number;
}

/** One thing that is asked for: of the tenant in a place, or for one where there is none. */
export interface Step {
  readonly place: number;
  readonly verb: VerbName;
  /** A purge without a slug gets the tenant's own. Where there is no tenant, one is set up with the slug. */
  readonly body: VerbBody;
  /** The slug of a set-up. */
  readonly slug: string;
  readonly kill: Kill | undefined;
}

const slug = fc.constantFrom(...slugs);

/** What each verb is sent with: one entry for each. */
const bodies: Record<VerbName, fc.Arbitrary<VerbBody>> = {
  change: fc.oneof(
    fc.record({ slug }),
    fc.record({ name: fc.constantFrom("First", "Second") }),
    fc.record({ slug, name: fc.constantFrom("First", "Second") }),
  ),
  suspend: fc.constant({}),
  resume: fc.constant({}),
  delete: fc.constant({}),
  restore: fc.oneof(fc.constant({}), fc.record({ slug })),
  purge: fc.oneof(
    { weight: 4, arbitrary: fc.constant({}) },
    { weight: 1, arbitrary: fc.record({ slug }) },
  ),
  release: fc.constant({}),
  adopt: fc.constant({}),
};

const kill: fc.Arbitrary<Kill> = fc.record({
  victim: fc.constantFrom<Kill["victim"][]>(
    ...([
      "service",
      "Pulumi CLI",
      "program host",
      "dynamic provider",
      "postgresql plugin",
    ] as const),
  ),
  afterMs: fc.integer({ min: 0, max: 400 }),
});

const step: fc.Arbitrary<Step> = fc.constantFrom(...verbNames).chain((verb) =>
  fc.record({
    place: fc.nat({ max: PLACES - 1 }),
    verb: fc.constant(verb),
    body: bodies[verb],
    slug,
    // Each costs seconds.
    kill: fc.oneof(
      { weight: 4, arbitrary: fc.constant(undefined) },
      { weight: 1, arbitrary: kill },
    ),
  }),
);

/** Random lives of a few tenants, step by step. */
export const lives = fc.array(step, { minLength: 8, maxLength: 14 });
