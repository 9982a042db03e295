import { readdirSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { Client } from "pg";
import { PROJECT } from "../../service/config/project";

/** A state backend, as the CLI fills it. */
export interface StateBackend {
  /** What PULUMI_BACKEND_URL names. */
  readonly url: string;
  /** The names of all it holds, such as `.pulumi/stacks/tenant-service/acme.json`. */
  readonly keys: () => Promise<string[]>;
  readonly read: (key: string) => Promise<string>;
  readonly write: (key: string, text: string) => Promise<void>;
}

/** A state backend in a folder. */
export function fileState(folder: string): StateBackend {
  return {
    url: `file://${folder}`,
    keys: () =>
      Promise.resolve(
        readdirSync(folder, { recursive: true, withFileTypes: true })
          .filter((entry) => entry.isFile())
          .map((entry) => path.relative(folder, path.join(entry.parentPath, entry.name))),
      ),
    read: (key) => readFile(path.join(folder, key), "utf8"),
    write: async (key, text) => {
      await mkdir(path.dirname(path.join(folder, key)), { recursive: true });
      await writeFile(path.join(folder, key), text);
    },
  };
}

/** A state backend in a database, in the table that the CLI makes there. */
export function postgresState(databaseUrl: string): StateBackend {
  const url = new URL(databaseUrl);
  // The CLI puts the database's name before each key.
  const prefix = `${url.pathname.slice(1)}/`;
  // Its driver asks for TLS unless told otherwise.
  url.searchParams.set("sslmode", "disable");
  const rows = async <Row extends object>(statement: string, values: string[] = []) => {
    const client = new Client(databaseUrl);
    await client.connect();
    return (await client.query<Row>(statement, values).finally(() => client.end())).rows;
  };
  return {
    url: url.href,
    keys: async () => {
      const found = await rows<{ key: string }>("select key from public.pulumi_state");
      return found.map(({ key }) => key.replace(prefix, ""));
    },
    read: async (key) => {
      const [row] = await rows<{ data: { data: string } }>(
        "select data from public.pulumi_state where key = $1",
        [prefix + key],
      );
      if (row === undefined) throw new Error(`there is no ${key}`);
      return Buffer.from(row.data.data, "base64").toString();
    },
    write: async (key, text) => {
      await rows(
        `insert into public.pulumi_state (key, data) values ($1, $2)
        on conflict (key) do update set data = excluded.data`,
        [prefix + key, JSON.stringify({ data: Buffer.from(text).toString("base64") })],
      );
    },
  };
}

/** The names of the service's stacks. */
export async function stacksIn(state: StateBackend): Promise<string[]> {
  const name = new RegExp(`^\\.pulumi/stacks/${PROJECT}/([^/]+)\\.json$`);
  return (await state.keys()).flatMap((key) => name.exec(key)?.[1] ?? []);
}

/** The locks, and the stack of each. */
export async function locksIn(state: StateBackend): Promise<{ key: string; stack: string }[]> {
  const lock = new RegExp(`^\\.pulumi/locks/organization/${PROJECT}/([^/]+)/`);
  return (await state.keys()).flatMap((key) => {
    const stack = lock.exec(key)?.[1];
    return stack === undefined ? [] : [{ key, stack }];
  });
}

/** What is in a stack: the last part of each resource's type, and what was cut off. */
export async function contentOf(
  state: StateBackend,
  stack: string,
): Promise<{ types: string[]; pending: unknown[] }> {
  const { checkpoint } = JSON.parse(
    await state.read(`.pulumi/stacks/${PROJECT}/${stack}.json`),
  ) as {
    checkpoint: { latest: { resources: { type: string }[]; pending_operations?: unknown[] } };
  };
  const { resources, pending_operations: pending = [] } = checkpoint.latest;
  return { types: resources.map(({ type }) => type.split(/[:/]/).at(-1) ?? type), pending };
}
