import type { PoolClient } from "pg";
import { because } from "./connections";

/**
 * Runs the work as a member of the roles, which PostgreSQL asks of whoever gives a schema to a role
 * or takes one from it. A membership that is missing is granted for the length of the transaction's
 * work; so is one that stands in the way, from the role to the connected one, revoked.
 *
 * @throws Error when a role does not exist or cannot be granted.
 */
export async function asMemberOf<T>(
  client: PoolClient,
  roles: readonly string[],
  work: () => Promise<T>,
): Promise<T> {
  const { rows } = await client.query<{ current_user: string }>("select current_user");
  const me = rows[0]?.current_user ?? "";
  if (await isSuperuser(client, me)) return work();

  const others = roles.filter((role) => role !== me);
  // Two transactions that grant to one role at once fail with "tuple concurrently updated".
  if (others.length > 0) await lockRole(client, me);

  const granted: string[] = [];
  const revoked: string[] = [];
  for (const role of others) {
    // PostgreSQL lets nobody but a superuser be a member of one.
    if (await isSuperuser(client, role)) continue;
    if (await revoke(client, me, role)) revoked.push(role);
    if (await grant(client, role, me)) granted.push(role);
  }
  const result = await work();
  for (const role of granted) await revoke(client, role, me);
  for (const role of revoked) await grant(client, me, role);
  return result;
}

async function isSuperuser(client: PoolClient, role: string): Promise<boolean> {
  const { rows } = await client.query<{ rolsuper: boolean }>(
    "select rolsuper from pg_roles where rolname = $1",
    [role],
  );
  if (rows[0] === undefined) {
    throw new Error(`could not check if role ${role} is superuser: sql: no rows in result set`);
  }
  return rows[0].rolsuper;
}

/** Makes the member one of the role's; false when it is one already. */
async function grant(client: PoolClient, role: string, member: string): Promise<boolean> {
  if (await isMember(client, role, member)) return false;
  const [to, of] = [client.escapeIdentifier(member), client.escapeIdentifier(role)];
  await because(`error granting role ${role} to ${member}`, client.query(`grant ${of} to ${to}`));
  return true;
}

/** Ends the membership; false when there is none. */
async function revoke(client: PoolClient, role: string, member: string): Promise<boolean> {
  if (!(await isMember(client, role, member))) return false;
  const [from, of] = [client.escapeIdentifier(member), client.escapeIdentifier(role)];
  await because(
    `error revoking role ${role} from ${member}`,
    client.query(`revoke ${of} from ${from}`),
  );
  return true;
}

/** The direct memberships, without those that PostgreSQL 16 and later do not let one act by. */
async function isMember(client: PoolClient, role: string, member: string): Promise<boolean> {
  const { rows } = await client.query(
    `select from pg_auth_members m
      where pg_get_userbyid(m.roleid) = $1 and pg_get_userbyid(m.member) = $2
        and coalesce((to_jsonb(m) ->> 'set_option')::boolean, true)`,
    [role, member],
  );
  return rows.length > 0;
}

/** Waits for its turn to change the role's memberships; the transaction's end ends it. */
async function lockRole(client: PoolClient, role: string): Promise<void> {
  await client.query("select pg_advisory_xact_lock(oid::bigint) from pg_roles where rolname = $1", [
    role,
  ]);
}
