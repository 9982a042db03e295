import type { HoldPoint } from "../support/hold-points";
import { useKillHarness, type Verb } from "../support/kill-harness";
import { killedVerbs, nameOf } from "../support/killed-verbs";
import type { Victim } from "../support/victims";

/**
 * A kill at each boundary of the verbs on a tenant that is there. Each boundary and each victim is met, not
 * each pair of them, nor each boundary with each verb: suspend, resume, delete and restore are the same run.
 */
const harness = useKillHarness();
const { made, ended, killedAt } = killedVerbs(harness);

/** Sends a verb, and waits for its end. */
async function done(id: string, verb: Verb): Promise<void> {
  await ended(await harness.send(id, verb));
}

interface Case {
  readonly verb: Verb;
  readonly before: readonly Verb[];
  /** What somebody changes by hand before the verb. */
  readonly byHand?: string;
  readonly point: HoldPoint;
  readonly victim: Victim;
  readonly status: string;
}

const suspend = { verb: "suspend", before: [], status: "suspended" } as const;
const resume = { verb: "resume", before: ["suspend"], status: "active" } as const;
const remove = { verb: "DELETE", before: [], status: "deleted" } as const;
const restore = { verb: "restore", before: ["suspend", "DELETE"], status: "suspended" } as const;
const repair = {
  verb: "repair",
  before: [],
  status: "active",
  byHand: "update public.tenants set slug = 'by-hand', status = 'suspended' where id = $1",
} as const;

test.each<Case>([
  { ...suspend, point: "before running", victim: "service" },
  { ...suspend, point: "before becoming suspended", victim: "Pulumi CLI" },
  { ...suspend, point: "in becoming suspended", victim: "dynamic provider" },
  { ...resume, point: "in becoming active", victim: "PostgreSQL backend" },
  { ...resume, point: "before succeeded", victim: "service" },
  { ...remove, point: "before becoming deleted", victim: "program host" },
  { ...remove, point: "in becoming deleted", victim: "service" },
  { ...restore, point: "before becoming provisioning", victim: "PostgreSQL sessions" },
  { ...restore, point: "in becoming suspended", victim: "Pulumi CLI" },
  { ...repair, point: "before running", victim: "service" },
  { ...repair, point: "in change of slug", victim: "Pulumi CLI" },
  { ...repair, point: "before becoming active", victim: "dynamic provider" },
  { ...repair, point: "before succeeded", victim: "service" },
])(
  "$verb ends well by itself when it waits $point and the $victim is killed",
  async ({ verb, before, byHand, point, victim, status }) => {
    const slug = nameOf(verb, point, victim);
    const id = await made(slug);
    for (const earlier of before) await done(id, earlier);
    if (byHand !== undefined) await harness.database.sql(byHand, [id]);
    const operation = await killedAt(point, victim, () => harness.send(id, verb));
    const operations = before.length + 2;
    await harness.expectWhole(slug, operation, { status, operations });
  },
);

test.each<{ point: HoldPoint; victim: Victim }>([
  { point: "before running", victim: "service" },
  { point: "before end of tenant_users", victim: "Pulumi CLI" },
  { point: "in end of tenant_users", victim: "service" },
  { point: "before drop schema", victim: "PostgreSQL backend" },
  { point: "before end of tenants", victim: "service" },
  { point: "in end of tenants", victim: "Pulumi CLI" },
  { point: "before succeeded", victim: "service" },
])(
  "a purge ends well by itself when it waits $point and the $victim is killed",
  async ({ point, victim }) => {
    const slug = nameOf("purge", point, victim);
    const id = await made(slug);
    await done(id, "DELETE");
    const stack = await harness.database.stackOf(slug);
    const operation = await killedAt(point, victim, () => harness.send(id, "purge", { slug }));
    await harness.expectPurged(slug, operation, stack);
  },
);
