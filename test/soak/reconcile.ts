import { checkAnswers } from "./answers";
import { checkArchives } from "./archives";
import { checkEach, groupBy, type Check } from "./check";
import type { Facts, StateFact, TenantFact } from "./facts";
import { checkHistories } from "./histories";
import type { Ledger } from "./ledger";
import { checkLives } from "./lives";
import { checkTraces } from "./traces";

/** Holds every answer against what there is, and what there is against itself. Changes nothing. */
export function reconcile(ledger: Ledger, facts: Facts): Check[] {
  return [
    ...checkAnswers(ledger, facts),
    ...checkLives(ledger, facts),
    ...checkHistories(ledger, facts),
    ...checkArchives(ledger, facts),
    ...checkTenants(facts),
    ...checkTraces(facts),
  ];
}

function checkTenants(facts: Facts): Check[] {
  const { tenants, users, memberships, states } = facts;
  const userOf = new Map(users.map((user) => [user.id, user]));
  const membersOf = groupBy(memberships, ({ tenantId }) => tenantId);
  const declared = tenants.filter(({ wanted }) => wanted !== null);
  const released = tenants.filter(({ wanted }) => wanted === null);
  return [
    checkEach("a tenant has the status that is wanted", declared, ({ slug, status, wanted }) => {
      return status !== wanted && `${slug} is ${status}, and ${wanted ?? "not"} wanted`;
    }),
    checkEach("and one owner, its stack", declared, ({ id, slug, owner, stack }) => {
      const right = `organization/tenant-service/${stack ?? ""}::${id}`;
      return owner !== right && `${slug}: ${owner ?? "nobody"}, not ${right}`;
    }),
    checkEach("one that was released has none", released, ({ slug, owner }) => {
      return owner !== null && `${slug}: ${owner}`;
    }),
    checkEach(
      "one tenant has a slug",
      groupBy(
        tenants.filter(({ status }) => status !== "deleted"),
        ({ slug }) => slug,
      ),
      ([slug, all]) => all.length > 1 && `${slug}: ${all.length} tenants`,
    ),
    checkEach("its schema has every migration once", tenants, (tenant) =>
      faultOfSchema(tenant, facts),
    ),
    checkEach(
      "the product can use it while it is active, and nobody else ever",
      tenants,
      (tenant) => faultOfGate(tenant, facts),
    ),
    checkEach("its admin is who was asked for", declared, ({ slug, adminId, adminEmail }) => {
      const is = userOf.get(adminId ?? "")?.email;
      return is?.toLowerCase() !== adminEmail?.toLowerCase() && `${slug}: ${is ?? "nobody"}`;
    }),
    checkEach("it has one membership, the admin's", tenants, ({ id, slug, adminId }) => {
      const members = membersOf.get(id) ?? [];
      const right = members.length === 1 && members[0]?.userId === adminId;
      return !(right && members[0]?.role === "ADMIN") && `${slug}: ${members.length} memberships`;
    }),
    checkEach("its state has the five steps", declared, (tenant) =>
      faultOfState(tenant, states.get(tenant.stack ?? "")),
    ),
  ];
}

function faultOfSchema({ id, slug }: TenantFact, { schemas, expected }: Facts): string | undefined {
  const schema = schemas.get(`tenant_${id}`);
  if (schema === undefined) return `${slug} has no schema`;
  const { versions, tables, digests } = schema;
  if (versions.join() !== expected.versions.join()) return `${slug}: applied ${versions.join()}`;
  if ([...tables].sort().join() !== expected.tables.join()) return `${slug}: has ${tables.join()}`;
  if (digests !== expected.versions.length) return `${slug}: ${digests} digests on record`;
  return undefined;
}

/** The rights on the schema follow the status; those on its tables stay, and are of no use without. */
function faultOfGate(
  { id, slug, status }: TenantFact,
  { schemas, expected, productRole }: Facts,
): string | undefined {
  const { rights = [], usable = 0 } = schemas.get(`tenant_${id}`) ?? {};
  const right = status === "active" ? `${productRole} USAGE` : "";
  if (rights.join() !== right) return `${slug} is ${status}, and open to: ${rights.join()}`;
  // The table of the migrations may be read and not written.
  const tables = expected.tables.length - 1;
  return usable === tables ? undefined : `${slug}: ${usable} of ${tables} tables can be used`;
}

/** The last word of each step's resource type → its id. A schema's has the database's name before it. */
const steps: readonly (readonly [string, (tenant: TenantFact) => string])[] = [
  ["Record", ({ id }) => id],
  ["AdminUser", ({ adminId }) => adminId ?? "nobody"],
  ["Schema", ({ id }) => `tenant_${id}`],
  ["Migrations", ({ id }) => `tenant_${id}`],
  ["Membership", ({ id, adminId }) => `${id}/${adminId ?? "nobody"}`],
];

function faultOfState(tenant: TenantFact, state: StateFact | undefined): string | undefined {
  const { slug, stack } = tenant;
  if (state === undefined) return `${slug} has no state (${stack ?? "no stack"})`;
  if (state.pending > 0) return `${slug}: ${state.pending} operations are pending in its state`;
  for (const [step, idOf] of steps) {
    const ids = state.resources.filter(({ type }) => type === step).map(({ id }) => id);
    const is = step === "Schema" ? ids.map((id) => id.replace(/^.*\./, "")) : ids;
    if (is.join() !== idOf(tenant)) return `${slug}: ${step} is ${ids.join() || "not there"}`;
  }
  return undefined;
}
