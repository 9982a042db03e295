import { checkAnswers } from "./answers";
import type { Check } from "./check";
import { checkEach, groupBy } from "./check";
import type { Facts, StateFact, TenantFact } from "./facts";
import type { Ledger } from "./ledger";

/** Holds every answer against what there is, and what there is against itself. Changes nothing. */
export function reconcile(ledger: Ledger, facts: Facts): Check[] {
  return [
    ...checkAnswers(ledger, facts),
    ...checkOperations(ledger, facts),
    ...checkTenants(facts),
  ];
}

function checkOperations({ asked }: Ledger, { operations, tenants, jobs, locks }: Facts): Check[] {
  const wanted = new Set(asked.map(({ wanted: { slug } }) => slug));
  const active = new Set(tenants.map(({ id, slug, status }) => `${status} ${slug} ${id}`));
  return [
    checkEach("an accepted set-up succeeded", operations, ({ id, slug, status, retries }) => {
      return status !== "succeeded" && `operation ${id} of ${slug}: ${status}, ${retries} retries`;
    }),
    checkEach("and its tenant is active", operations, ({ id, slug, status, tenantId }) => {
      const tenant = `active ${slug} ${String(tenantId)}`;
      return status === "succeeded" && !active.has(tenant) && `operation ${id}: no tenant ${slug}`;
    }),
    checkEach(
      "one set-up was accepted for a slug",
      groupBy(operations, ({ slug }) => slug),
      ([slug, all]) => all.length > 1 && `${slug}: ${all.length} operations`,
    ),
    checkEach("and somebody asked for it", operations, ({ id, slug }) => {
      return !wanted.has(slug) && `operation ${id} of ${slug}`;
    }),
    { what: "no job is left", looked: 1, faults: jobs === 0 ? [] : [`${jobs} jobs`] },
    { what: "no stack is locked", looked: 1, faults: locks },
  ];
}

function checkTenants(facts: Facts): Check[] {
  const { tenants, operations, schemas, users, memberships, states, spareStacks } = facts;
  const operationOf = new Map(operations.map((operation) => [operation.slug, operation]));
  const userOf = new Map(users.map((user) => [user.id, user]));
  const membersOf = groupBy(memberships, ({ tenantId }) => tenantId);
  const ids = new Set(tenants.map(({ id }) => `tenant_${id}`));
  const stacks = new Set([...tenants.map(({ stack }) => stack), ...spareStacks]);
  return [
    checkEach("a tenant is active", tenants, ({ slug, status }) => {
      return status !== "active" && `${slug} is ${status}`;
    }),
    checkEach("and was set up by its operation", tenants, ({ id, slug }) => {
      return operationOf.get(slug)?.tenantId !== id && `${slug} (${id})`;
    }),
    checkEach(
      "one tenant has a slug",
      groupBy(tenants, ({ slug }) => slug),
      ([slug, all]) => all.length > 1 && `${slug}: ${all.length} tenants`,
    ),
    checkEach("its schema has every migration once", tenants, (tenant) =>
      faultOfSchema(tenant, facts),
    ),
    checkEach("a schema has its tenant", schemas.keys(), (name) => {
      return !ids.has(name) && `schema ${name} is nobody's`;
    }),
    checkEach("its admin is who was asked for", tenants, ({ slug, adminId }) => {
      const [is, asked] = [userOf.get(adminId ?? "")?.email, operationOf.get(slug)?.adminEmail];
      return is?.toLowerCase() !== asked?.toLowerCase() && `${slug}: ${is ?? "nobody"}`;
    }),
    checkEach(
      "a user is there once",
      groupBy(users, ({ email }) => email.toLowerCase()),
      ([email, all]) => all.length > 1 && `${email}: ${all.length} users`,
    ),
    checkEach("and belongs to a tenant", users, ({ id, email }) => {
      return !memberships.some(({ userId }) => userId === id) && `${email} belongs to nobody`;
    }),
    checkEach("it has one membership, the admin's", tenants, ({ id, slug, adminId }) => {
      const members = membersOf.get(id) ?? [];
      const right = members.length === 1 && members[0]?.userId === adminId;
      return !(right && members[0]?.role === "ADMIN") && `${slug}: ${members.length} memberships`;
    }),
    checkEach("its state has the five steps", tenants, (tenant) =>
      faultOfState(tenant, states.get(tenant.stack)),
    ),
    checkEach("a stack has its tenant", states.keys(), (name) => {
      return !stacks.has(name) && `stack ${name} is nobody's`;
    }),
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
  if (state === undefined) return `${slug} has no state (${stack})`;
  if (state.pending > 0) return `${slug}: ${state.pending} operations are pending in its state`;
  for (const [step, idOf] of steps) {
    const ids = state.resources.filter(({ type }) => type === step).map(({ id }) => id);
    const is = step === "Schema" ? ids.map((id) => id.replace(/^.*\./, "")) : ids;
    if (is.join() !== idOf(tenant)) return `${slug}: ${step} is ${ids.join() || "not there"}`;
  }
  return undefined;
}
