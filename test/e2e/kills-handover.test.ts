import { hold, type HoldPoint } from "../support/hold-points";
import { useKillHarness } from "../support/kill-harness";
import { eventually } from "../support/killable-service";
import { killVictim, type Victim } from "../support/victims";

/** A kill at each boundary of a tenant's release and of its adoption. */
const harness = useKillHarness();

const nameOf = (...words: string[]) => words.join("-").toLowerCase().replaceAll(/[ _]/g, "-");

async function ended(operation: string): Promise<void> {
  await eventually(async () => {
    const rows = await harness.database.sql(
      "select from public.operations where id = $1 and status = 'succeeded'",
      [operation],
    );
    return rows.length > 0 ? true : undefined;
  });
}

async function made(slug: string): Promise<string> {
  await ended(await harness.ask(slug));
  const [tenant] = await harness.database.sql<{ id: string }>(
    "select id from public.tenants where slug = $1",
    [slug],
  );
  return tenant?.id ?? "";
}

/** Sends a verb and kills the victim where the run waits at the point. @returns the operation's id. */
async function killedAt(
  point: HoldPoint,
  victim: Victim,
  send: () => Promise<string>,
): Promise<string> {
  const held = await hold(harness.database, point);
  try {
    const operation = await send();
    await killVictim(harness, victim, await held.reached());
    return operation;
  } finally {
    await held.release();
  }
}

interface Case {
  readonly point: HoldPoint;
  readonly victim: Victim;
}

test.each<Case>([
  { point: "before running", victim: "service" },
  { point: "before change of owner", victim: "Pulumi CLI" },
  { point: "before change of owner", victim: "PostgreSQL backend" },
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
  { point: "in change of owner", victim: "Pulumi CLI" },
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
