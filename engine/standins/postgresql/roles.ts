import type { PoolClient } from "pg";
import { because } from "./connections";

/**
 * Runs the work while the connected role is a member of these roles. PostgreSQL demands that of whoever
 * gives a schema to a role, or takes one from it. A membership that is missing is granted for the time of
 * the work. PostgreSQL allows no circle of memberships, so where one of these roles is a member of the
 * connected role, that membership is revoked for the time of the work, and granted again after it.
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

/** Makes `member` a member of the role; returns false when it is one already. */
async function grant(client: PoolClient, role: string, member: string): Promise<boolean> {
  if (await isMember(client, role, member)) return false;
  const [to, of] = [client.escapeIdentifier(member), client.escapeIdentifier(role)];
  await because(`error granting role ${role} to ${member}`, client.query(`grant ${of} to ${to}`));
  return true;
}

/** Ends the membership; returns false when there is none. */
async function revoke(client: PoolClient, role: string, member: string): Promise<boolean> {
  if (!(await isMember(client, role, member))) return false;
  const [from, of] = [client.escapeIdentifier(member), client.escapeIdentifier(role)];
  await because(
    `error revoking role ${role} from ${member}`,
    client.query(`revoke ${of} from ${from}`),
  );
  return true;
}

/** Whether it is a direct member that may act as the role. PostgreSQL 16 and later have members that may not. */
async function isMember(client: PoolClient, role: string, member: string): Promise<boolean> {
  const { rows } = await client.query(
    `select from pg_auth_members m
      where pg_get_userbyid(m.roleid) = $1 and pg_get_userbyid(m.member) = $2
        and coalesce((to_jsonb(m) ->> 'set_option')::boolean, true)`,
    [role, member],
  );
  return rows.length > 0;
}

/** Waits until no other transaction changes the role's memberships; the lock ends with the transaction. */
async function lockRole(client: PoolClient, role: string): Promise<void> {
  await client.query("select pg_advisory_xact_lock(oid::bigint) from pg_roles where rolname = $1", [
    role,
  ]);
}
