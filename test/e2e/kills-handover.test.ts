import type { HoldPoint } from "../support/hold-points";
import { useKillHarness } from "../support/kill-harness";
import { killedVerbs, nameOf } from "../support/killed-verbs";
import type { Victim } from "../support/victims";

/** A kill at each boundary of a tenant's release and of its adoption. */
const harness = useKillHarness();
const { made, ended, killedAt } = killedVerbs(harness);

interface Case {
  readonly point: HoldPoint;
  readonly victim: Victim;
}

test.each<Case>([
  { point: "before running", victim: "service" },
  { point: "before change of owner", victim: "Pulumi CLI" },
  { point: "in change of owner", victim: "dynamic provider" },
  { point: "in change of owner", victim: "service" },
  { point: "before succeeded", victim: "service" },
])(
  "a release ends well by itself when it waits $point and the $victim is killed",
  async ({ point, victim }) => {
    const slug = nameOf("release", point, victim);
    const id = await made(slug);
    const stack = await harness.database.stackOf(slug);
    const operation = await killedAt(point, victim, () => harness.send(id, "release"));
    await harness.expectReleased(slug, operation, stack);
  },
);

test.each<Case>([
  { point: "before running", victim: "service" },
  { point: "before change of owner", victim: "program host" },
  { point: "in change of owner", victim: "PostgreSQL sessions" },
  { point: "before tenant_users", victim: "dynamic provider" },
  { point: "before succeeded", victim: "service" },
])(
  "an adoption ends well by itself when it waits $point and the $victim is killed",
  async ({ point, victim }) => {
    const slug = nameOf("adopt", point, victim);
    const id = await made(slug);
    await ended(await harness.send(id, "release"));
    const operation = await killedAt(point, victim, () => harness.send(id, "adopt"));
    await harness.expectWhole(slug, operation, { operations: 3 });
  },
);
