import { rowsIfAny, withConnection } from "../database/pool";

/** What is written into a person's account, and may be changed by the person. */
interface Account {
  readonly urlEnv: string;
  readonly tenantId: string;
  readonly email: string;
  readonly password?: string | undefined;
  readonly firstName: string;
  readonly lastName: string;
}

/** Each field, by the name that a tenant's author gives it. */
const names = {
  password: "adminPassword",
  firstName: "adminFirstName",
  lastName: "adminLastName",
} as const;

type Field = keyof typeof names;

/** The fields that a program declares otherwise than before. */
export function changedFields(olds: Account, news: Account): Field[] {
  return (Object.keys(names) as Field[]).filter((field) => olds[field] !== news[field]);
}

/**
 * Says which of these changes will not be made, because what is there is the person's own: all of a user who was
 * linked, and what a user has changed. Says nothing where the database cannot be asked: a preview needs none, and
 * an `up` fails without one.
 *
 * @param id The user's.
 */
export async function tellKept(
  id: string,
  changed: readonly Field[],
  olds: Account,
  news: Account,
): Promise<void> {
  const rows = await withConnection(news.urlEnv, (client) =>
    rowsIfAny<Record<Field, string> & { isMade: boolean | null }>(
      client,
      `select password_hash as password, first_name as "firstName", last_name as "lastName",
        made_for_tenant_id = $2 as "isMade"
      from public.users where id = $1`,
      [id, news.tenantId],
    ),
  ).catch(() => []);
  const [user] = rows;
  if (user === undefined) return;
  const kept = changed
    .filter((field) => user[field] !== news[field])
    .filter((field) => user.isMade !== true || user[field] !== olds[field]);
  if (kept.length === 0) return;
  const fields = kept.map((field) => names[field]).join(", ");
  console.log(`${news.email}: ${fields} kept: the person's own`);
}
