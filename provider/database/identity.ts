import { z } from "zod";
import { OtherDatabaseError } from "../contract/errors";
import { rowsIfAny, withConnection } from "./pool";
import { settingsOf, type DatabaseAddress } from "./settings";

const databaseIdentity = z.object({
  /** The id in the one row of `public.tenant_database`. */
  id: z.uuid().optional(),
  name: z.string(),
  /** PostgreSQL's system identifier: decimal digits. Absent where the role may not read it. */
  server: z.string().optional(),
  /** The ids of the databases whose place this one took. */
  replaces: z.array(z.uuid()).optional(),
});

/** Which database it is, as a state holds it. Without control tables it has a name only. */
export type DatabaseIdentity = z.infer<typeof databaseIdentity>;

/**
 * Asks the database which one it is.
 *
 * @throws {@link OtherDatabaseError} when it is a copy of another, or was renamed or moved, and nobody has
 * said in it which of the two it is to be; {@link ConfigurationError}; errors of pg as they are.
 */
export async function identify(database: DatabaseAddress): Promise<DatabaseIdentity> {
  const [row] = await withConnection(database, (client) =>
    rowsIfAny<Row>(
      client,
      `select id, name, server, replaces, current_database() as live_name,
        public.tenant_database_server() as live_server
      from public.tenant_database`,
    ),
  );
  if (row === undefined) return { name: settingsOf(database).database };
  const found = identityOf({ ...row, name: row.live_name, server: row.live_server });
  const differing = differences(identityOf(row), found);
  if (differing.length > 0) throw new OtherDatabaseError(copyMessage(row, differing));
  return found;
}

interface Row {
  readonly id: string;
  readonly name: string;
  readonly server: string | null;
  readonly replaces: string[];
  readonly live_name: string;
  readonly live_server: string | null;
}

function identityOf(row: Pick<Row, "id" | "name" | "server" | "replaces">): DatabaseIdentity {
  return {
    id: row.id,
    name: row.name,
    ...(row.server === null ? {} : { server: row.server }),
    ...(row.replaces.length === 0 ? {} : { replaces: row.replaces }),
  };
}

/**
 * Compares the database that was found with the one that a state is about.
 *
 * @param recorded The identity in the state, not validated yet.
 * @returns how they differ and what to do; undefined when they are the same, when the found one has taken
 *   the place of the other, or when the state holds no identity.
 */
export function otherDatabase(recorded: unknown, found: DatabaseIdentity): string | undefined {
  const known = readIdentity(recorded);
  if (known?.id === undefined || found.replaces?.includes(known.id)) return undefined;
  const state = `the state is about database ${known.name} (id ${known.id})`;
  if (found.id === undefined) {
    return (
      `${state}, and this one, ${found.name}, has no identity: it is another, or its control tables are ` +
      `lost. Name the right one, or restore its control tables from a backup`
    );
  }
  const differing = differences(known, found);
  if (differing.length === 0) return undefined;
  return (
    `${state}, and this one is another (${differing.join(", ")}). Name the right one; where the tenants ` +
    `were moved here, say so in this database: update public.tenant_database set replaces = ` +
    `replaces || '${known.id}'::uuid`
  );
}

/** Validates an identity out of a state or an input; undefined where it is none. */
export function readIdentity(value: unknown): DatabaseIdentity | undefined {
  return databaseIdentity.safeParse(value).data;
}

/** The parts in which two identities differ, such as `name other instead of app`. */
function differences(one: DatabaseIdentity, other: DatabaseIdentity): string[] {
  return (["id", "name", "server"] as const)
    .filter((part) => part !== "server" || (one.server && other.server))
    .filter((part) => one[part] !== other[part])
    .map((part) => `${part} ${String(other[part])} instead of ${String(one[part])}`);
}

function copyMessage({ name }: Row, differing: string[]): string {
  const set = "update public.tenant_database set id = default, name = default, server = default";
  return (
    `this database is a copy of ${name} (${differing.join(", ")}), or was renamed or moved. Name the ` +
    `original; or, in this database, if it takes the original's place: ${set}, replaces = replaces || id; ` +
    `if it is one of its own: ${set}, replaces = default`
  );
}
