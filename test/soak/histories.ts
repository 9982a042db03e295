import { nextLife, newLife, verbNames, type Life } from "../support/tenant-life";
import { checkEach, groupBy, type Check } from "./check";
import type { Facts, OperationFact, TenantFact } from "./facts";
import type { Ledger, Outcome } from "./ledger";

/** A time in which a tenant had a slug. */
interface Hold {
  readonly tenantId: string;
  readonly slug: string;
  /** From its acceptance on, nobody else may have got it; from its end on, it was the tenant's for certain. */
  readonly accepted: number;
  readonly applied: number;
  /** From the acceptance of what let it go, it may have been free; from that one's end on it was. */
  readonly left: number;
  readonly free: number;
}

/** The operations of each tenant, in the order in which they were done. */
function historiesOf({ operations }: Pick<Facts, "operations">) {
  // A transaction has the time of its beginning, and may be accepted long after that; a start is one statement.
  const inOrder = [...operations].sort((one, other) => one.startedAt - other.startedAt);
  return groupBy(inOrder, ({ tenantId }) => tenantId);
}

/** Holds the operations against each other, and the last of each tenant against what there is. */
export function checkHistories(ledger: Ledger, facts: Facts): Check[] {
  const { operations, tenants } = facts;
  const histories = historiesOf(facts);
  const tenantOf = new Map(tenants.map((tenant) => [tenant.id, tenant]));
  const wasSent = ({ outcome }: { outcome: Outcome }) => outcome !== "not sent";
  const verbs = ledger.verbs.filter(wasSent);
  const asked = groupBy(verbs, ({ tenantId, verb }) => `${verb} ${tenantId}`);
  const births: Readonly<Record<string, Map<string, readonly unknown[]>>> = {
    setup: groupBy(ledger.asked.filter(wasSent), ({ wanted }) => wanted.slug),
    import: groupBy(ledger.imports, ({ slug }) => slug),
  };
  return [
    checkEach("an accepted operation succeeded", operations, (operation) => {
      const { status, retries } = operation;
      return status !== "succeeded" && `${lineOf(operation)}: ${status}, ${retries} retries`;
    }),
    checkEach(
      "and somebody asked for it",
      groupBy(operations, ({ kind, tenantId }) => `${kind} ${tenantId}`),
      ([what, all]) => {
        const [{ kind, slug } = { kind: "", slug: "" }] = all;
        const asks = births[kind]?.get(slug) ?? asked.get(what);
        const sent = asks?.length ?? 0;
        return all.length > sent && `${what}: ${all.length} operations, asked for ${sent} times`;
      },
    ),
    checkEach("of one tenant one operation is alive at a time", histories, ([id, all]) => {
      const second = all.find(
        ({ startedAt }, index) => startedAt < (all[index - 1]?.appliedAt ?? 0),
      );
      return second && `${id}: ${lineOf(second)} began before the one before it was applied`;
    }),
    checkEach("a tenant is what its operations made of it", histories, ([id, all]) =>
      faultOfHistory(all, tenantOf.get(id)),
    ),
    checkEach("a tenant has operations", tenants, ({ id, slug }) => {
      return !histories.has(id) && `${slug} (${id})`;
    }),
    checkEach(
      "at no time had two tenants one slug",
      groupBy(holdsOf(facts), ({ slug }) => slug),
      ([slug, holds]) => {
        const inTurn = [...holds].sort((one, other) => one.applied - other.applied);
        const both = inTurn.some(
          (hold, index) =>
            hold.applied < (inTurn[index - 1]?.left ?? 0) &&
            hold.tenantId !== inTurn[index - 1]?.tenantId,
        );
        return both && `${slug}: ${inTurn.map(({ tenantId }) => tenantId).join(" and ")}`;
      },
    ),
  ];
}

/** Whether an operation of this kind makes a tenant. */
export function isBirth(kind: string): boolean {
  return kind === "setup" || kind === "import";
}

/** When which tenant had which slug. */
export function holdsOf(facts: Pick<Facts, "operations">): Hold[] {
  return [...historiesOf(facts).values()].flatMap((history) => {
    // Neither a release nor an adoption changes what a tenant holds.
    const done = history.filter(
      ({ status, kind }) => status === "succeeded" && kind !== "release" && kind !== "adopt",
    );
    const changes = done.filter((one, index) => heldAfter(one) !== heldAfter(done[index - 1]));
    return changes.flatMap((from, index) => {
      const slug = heldAfter(from);
      if (slug === undefined) return [];
      const to = changes[index + 1];
      const [left, free] = [to?.createdAt ?? Infinity, to?.finishedAt ?? Infinity];
      const { tenantId, createdAt: accepted, appliedAt: applied } = from;
      return [{ tenantId, slug, accepted, applied, left, free }];
    });
  });
}

function heldAfter(operation: OperationFact | undefined): string | undefined {
  if (operation === undefined || ["delete", "purge"].includes(operation.kind)) return undefined;
  return operation.slug;
}

/** What a tenant must be when these operations were done in this order; a fault where one was not possible. */
function faultOfHistory(
  history: readonly OperationFact[],
  is: TenantFact | undefined,
): string | undefined {
  let life: Life | undefined;
  for (const operation of history.filter(({ status }) => status === "succeeded")) {
    const next = after(life, operation);
    if (next === undefined) return `${lineOf(operation)} came on one that is ${lineOfLife(life)}`;
    life = next;
  }
  const found =
    is === undefined ? "not there" : lineOfLife({ ...is, isDeclared: is.owner !== null });
  const last = history.at(-1);
  if (life === undefined || last === undefined) return is && `${is.slug} was never set up`;
  const right = life.status === "purged" ? "not there" : lineOfLife(life);
  return found === right ? undefined : `${last.tenantId} is ${found}, and must be ${right}`;
}

function after(life: Life | undefined, operation: OperationFact): Life | undefined {
  const { kind, slug, request } = operation;
  if (isBirth(kind)) return life === undefined ? newLife(String(request.name), slug) : undefined;
  const verb = verbNames.find((name) => name === kind);
  if (life === undefined || verb === undefined) return undefined;
  const next = nextLife(life, verb, request);
  return typeof next === "number" ? undefined : next;
}

const lineOf = ({ id, kind, slug }: OperationFact) => `operation ${id} (${kind} of ${slug})`;

function lineOfLife(
  life: (Omit<Life, "status" | "restoresTo"> & { status: string }) | undefined,
): string {
  if (life === undefined) return "not there";
  const { status, slug, name, isDeclared } = life;
  return `${status} ${slug} (${name})${isDeclared ? "" : ", nobody's"}`;
}
