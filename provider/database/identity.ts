import { z } from "zod";
import { OtherDatabaseError } from "../contract/errors";
import { rowsIfAny, withConnection } from "./pool";
import { settingsOf, type DatabaseAddress } from "./settings";

const databaseIdentity = z.object({
  /** Of the one row of `public.tenant_database`. */
  id: z.uuid().optional(),
  name: z.string(),
  /** PostgreSQL's system identifier, where the role may ask for it. */
  server: z.string().optional(),
  /** The ids of the databases whose place it took. */
  replaces: z.array(z.uuid()).optional(),
});

/** Which database it is, as a state holds it. Where there are no control tables, it has no id. */
export type DatabaseIdentity = z.infer<typeof databaseIdentity>;

/**
 * Asks the database which one it is.
 *
 * @throws {@link OtherDatabaseError} when it is a copy that nobody has said what it is; errors of pg as
 * they are.
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
  if (differing.length > 0) throw new OtherDatabaseError(copyWords(row, differing));
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
 * Says why the database that was found is not the one that a state is about.
 *
 * @param recorded What the state has, nobody has read it yet.
 * @returns undefined when it is the one, or has taken its place, or where the state knows of none.
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

/** Reads an identity out of a state or an input; undefined where there is none. */
export function readIdentity(value: unknown): DatabaseIdentity | undefined {
  return databaseIdentity.safeParse(value).data;
}

/** What tells the second database from the first, each with both values. */
function differences(one: DatabaseIdentity, other: DatabaseIdentity): string[] {
  return (["id", "name", "server"] as const)
    .filter((part) => part !== "server" || (one.server && other.server))
    .filter((part) => one[part] !== other[part])
    .map((part) => `${part} ${String(other[part])} instead of ${String(one[part])}`);
}

function copyWords({ name }: Row, differing: string[]): string {
  const set = "update public.tenant_database set id = default, name = default, server = default";
  return (
    `this database is a copy of ${name} (${differing.join(", ")}), or was renamed or moved. Name the ` +
    `original; or, in this database, if it takes the original's place: ${set}, replaces = replaces || id; ` +
    `if it is one of its own: ${set}, replaces = default`
  );
}
