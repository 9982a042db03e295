import { checkEach, groupBy, type Check } from "./check";
import type { Facts } from "./facts";

/** That nothing is left of tenants that are purged, nor of runs that were killed. */
export function checkTraces(facts: Facts): Check[] {
  const { tenants, schemas, users, memberships, states } = facts;
  const ids = new Set(tenants.map(({ id }) => id));
  const ofTenants = new Set(tenants.map(({ id }) => `tenant_${id}`));
  const stacks = new Set([...tenants.map(({ stack }) => stack), ...facts.spareStacks]);
  const members = new Set(memberships.map(({ userId }) => userId));
  const none = (what: string, left: readonly string[]): Check => ({
    ...{ what, looked: 1, faults: left },
  });
  return [
    checkEach("a tenant that is wanted is there", facts.wanted, (id) => {
      return !ids.has(id) && `the service wants tenant ${id}`;
    }),
    checkEach("a schema has its tenant", schemas.keys(), (name) => {
      return !ofTenants.has(name) && `schema ${name} is nobody's`;
    }),
    checkEach("so have digests", facts.digested, (name) => {
      return !ofTenants.has(name) && `digests of ${name} are nobody's`;
    }),
    checkEach("so has a schema's role", facts.ownerRoles, (name) => {
      // The group of all of them.
      return name !== "tenants" && !ofTenants.has(name) && `role ${name} is nobody's`;
    }),
    checkEach("a stack has its tenant", states.keys(), (name) => {
      return !stacks.has(name) && `stack ${name} is nobody's`;
    }),
    checkEach(
      "a user is there once",
      groupBy(users, ({ email }) => email.toLowerCase()),
      ([email, all]) => all.length > 1 && `${email}: ${all.length} users`,
    ),
    checkEach("and belongs to a tenant", users, ({ id, email }) => {
      return !members.has(id) && `${email} belongs to nobody`;
    }),
    none("no job is left", facts.jobs === 0 ? [] : [`${facts.jobs} jobs`]),
    none("no stack is locked", facts.locks),
    none("no stack is still to be removed", facts.doomedStacks),
    none("no advisory lock is held", facts.advisoryLocks),
  ];
}
