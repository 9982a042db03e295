import {
  copyFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { Client } from "pg";
import { processIds, readStat } from "../../../engine/system/proc";
import { sessionName } from "../../../provider/database/dbmate-process";
import { readMigrations, tenantMigrationsDir } from "../../../provider/database/migrations";
import { dropContents } from "../../../provider/database/drop-contents";
import { withSchemaLock } from "../../../provider/database/schema-lock";
import { migrations } from "../../../provider/resources";
import { badNetworkTo } from "../../support/bad-network";
import { createTestDatabase } from "../../support/database";
import { eventually } from "../../support/killable-service";
import { checked, useResourceDatabase } from "../../support/resources";

const database = useResourceDatabase();

type Inputs = Parameters<typeof migrations.create>[0];

const folders = mkdtempSync(path.join(tmpdir(), "tenant-migrations-"));
afterAll(() => {
  rmSync(folders, { recursive: true });
});

let count = 0;
async function schema(): Promise<string> {
  const name = `tenant_660e8400-e29b-41d4-a716-${String(++count).padStart(12, "0")}`;
  await database.sql(`create schema "${name}"`);
  return name;
}
const typed = (schemaName: string, overrides: object = {}) => ({
  urlEnv: database.urlEnv,
  schemaName,
  migrationsDir: tenantMigrationsDir,
  forceDestroy: true,
  ...overrides,
});
const declared = (schemaName: string, overrides: object = {}, olds: object = {}): Inputs =>
  checked<Inputs>(migrations.check({ ...olds }, typed(schemaName, overrides)));
const tablesOf = async (schemaName: string) =>
  (
    await database.sql<{ tablename: string }>(
      "select tablename from pg_tables where schemaname = $1 order by tablename",
      [schemaName],
    )
  ).map(({ tablename }) => tablename);

function folder(files: Record<string, string>): string {
  const directory = mkdtempSync(path.join(folders, "case-"));
  for (const [name, text] of Object.entries(files)) writeFileSync(path.join(directory, name), text);
  return directory;
}
const good = "-- migrate:up\ncreate table a (id int);\n-- migrate:down\ndrop table a;\n";
const broken = "-- migrate:up\ncreate table b (id nonsense);\n-- migrate:down\n";
const mended = broken.replace("nonsense", "int");

/** The environment of the dbmate that this process has started; undefined until there is one. */
function environmentOfDbmate(): Record<string, string> | undefined {
  const isDbmate = (pid: number) => {
    const stat = readStat(pid);
    return stat?.parent === process.pid && stat.name === "dbmate";
  };
  const pid = processIds().find(isDbmate);
  const text = pid === undefined ? "" : readFileSync(`/proc/${pid}/environ`, "utf8");
  const entries = text.split("\0").filter(Boolean);
  const named = entries.map((entry) => /^([^=]*)=(.*)$/s.exec(entry)?.slice(1) ?? []);
  return entries.length === 0 ? undefined : (Object.fromEntries(named) as Record<string, string>);
}

/** The faults of a check: a tenant's are among its inputs, and those of the public schema fail it. */
const faultsOf = ({ inputs, failures }: ReturnType<typeof migrations.check>) =>
  (inputs.faults as string[] | undefined) ??
  failures.map(({ property, reason }) => `${property}: ${reason}`);

describe("check", () => {
  it("lists each file with its digest, so that a preview shows a new one by name", () => {
    const directory = folder({ "1_a.sql": good });
    const old = declared("s", { migrationsDir: directory });
    writeFileSync(path.join(directory, "2_b.sql"), mended);
    const news = declared("s", { migrationsDir: directory }, old);
    expect(Object.keys(news.files)).toEqual(["1_a.sql", "2_b.sql"]);
    expect(news.version).toBe("2");
    expect(migrations.diff("s", old, news)).toEqual({ changes: true, replaces: [] });
  });

  it("names an applied file that was edited, and one that is gone", () => {
    const directory = folder({ "1_a.sql": good, "2_b.sql": mended, "3_c.sql": mended });
    const old = declared("s", { migrationsDir: directory });
    writeFileSync(path.join(directory, "1_a.sql"), `${good}-- edited`);
    rmSync(path.join(directory, "2_b.sql"));
    const { inputs } = migrations.check({ ...old }, typed("s", { migrationsDir: directory }));
    expect(inputs.faults).toEqual([
      expect.stringMatching(
        /^migrationsDir: 1_a\.sql was edited after it was applied.*; 2_b\.sql is gone after it was applied/,
      ),
    ]);
  });

  it("says that a folder is older than what is applied, and names what it has not", () => {
    const directory = folder({ "1_a.sql": good, "2_b.sql": mended });
    const old = declared("s", { migrationsDir: directory });
    rmSync(path.join(directory, "2_b.sql"));
    expect(
      faultsOf(migrations.check({ ...old }, typed("s", { migrationsDir: directory }))),
    ).toEqual([
      "migrationsDir: the migrations' folder is older than what is applied, which has 2_b.sql too: bring it " +
        "up to date, or restore what was taken out of it",
    ]);
  });

  it.each(["public", "s"])(
    "says that the installed package is older than what is applied: schema %s",
    (name) => {
      const old = declared(name);
      const newer = { ...old, files: { ...old.files, "20990101000001_newer.sql": "0" } };
      expect(faultsOf(migrations.check(newer, typed(name)))).toEqual([
        "migrationsDir: the installed package is older than what is applied, which has " +
          "20990101000001_newer.sql too: upgrade pulumi-tenant",
      ]);
    },
  );

  it("sees no change when the same files lie in another folder", () => {
    const old = declared("s");
    const elsewhere = folder({});
    for (const file of readdirSync(tenantMigrationsDir)) {
      copyFileSync(path.join(tenantMigrationsDir, file), path.join(elsewhere, file));
    }
    expect(
      migrations.diff("s", old, declared("s", { migrationsDir: elsewhere }, old)).changes,
    ).toBe(false);
  });

  it("says that the folder is to be named, of a tenant alone", () => {
    const unnamed = { migrationsDir: undefined };
    expect(faultsOf(migrations.check({}, typed("s", unnamed)))).toEqual([
      "migrationsDir: is missing: name it on TenantDatabase",
    ]);
    expect(faultsOf(migrations.check({}, typed("public", unnamed)))).toEqual([]);
  });

  it("reports a folder that cannot be read as a fault of migrationsDir", () => {
    expect(
      migrations.check({}, typed("s", { migrationsDir: "no/such/folder" })).inputs.faults,
    ).toEqual([expect.stringMatching(/^migrationsDir: .*no\/such\/folder cannot be read/)]);
  });
});

describe("create", () => {
  it("makes the tenant's tables in its schema and in no other", async () => {
    const name = await schema();
    const before = await tablesOf("public");
    await migrations.create(declared(name));
    expect(await tablesOf(name)).toEqual([
      "activities",
      "activity_results",
      "commerces",
      "dispatch_providers",
      "operators",
      "routes",
      "schema_migrations",
    ]);
    expect(await tablesOf("public")).toEqual(before);
  });

  it("of the control tables tells which database it is, also in the run that makes it", async () => {
    const fresh = await createTestDatabase();
    process.env.FRESH_URL = fresh.url;
    const inputs = declared("public", { urlEnv: "FRESH_URL", migrationsDir: undefined });
    const name = new URL(fresh.url).pathname.slice(1);
    const { outs } = await migrations.create(inputs);
    expect(outs).toMatchObject({ database: { id: expect.any(String) as string, name } });
    expect((await migrations.create(inputs)).outs).toMatchObject({
      database: (outs as { database?: object }).database,
    });
    await fresh.drop();
  });

  it("run twice applies every file once", async () => {
    const name = await schema();
    await migrations.create(declared(name));
    await migrations.create(declared(name));
    const rows = await database.sql(`select version from "${name}".schema_migrations`);
    expect(rows).toHaveLength(readdirSync(tenantMigrationsDir).length);
  });

  it("run four times at once applies every file once", async () => {
    const name = await schema();
    await Promise.all(Array.from({ length: 4 }, () => migrations.create(declared(name))));
    expect(await tablesOf(name)).toContain("dispatch_providers");
  });

  it("that fails names the file and PostgreSQL's message, keeps what ran, and finishes once it is mended", async () => {
    const name = await schema();
    const directory = folder({ "1_a.sql": good, "2_b.sql": broken });
    const attempt = migrations.create(declared(name, { migrationsDir: directory }));
    await expect(attempt).rejects.toThrow(
      /migration 2_b\.sql failed in schema tenant_.*type "nonsense" does not exist.*1 of 2 are applied/,
    );
    writeFileSync(path.join(directory, "2_b.sql"), mended);
    await migrations.create(declared(name, { migrationsDir: directory }));
    expect(await tablesOf(name)).toEqual(["a", "b", "schema_migrations"]);
  });

  it("refuses a file that was edited after it was applied, though no state tells of it", async () => {
    const name = await schema();
    const directory = folder({ "1_a.sql": good, "2_b.sql": broken });
    await expect(migrations.create(declared(name, { migrationsDir: directory }))).rejects.toThrow();
    writeFileSync(path.join(directory, "1_a.sql"), good.replace("id int", "id text"));
    writeFileSync(path.join(directory, "2_b.sql"), mended);
    await expect(migrations.create(declared(name, { migrationsDir: directory }))).rejects.toThrow(
      /^1_a\.sql was edited after it was applied/,
    );
  });

  it("refuses to run with a package that is older than what is applied, though no state tells of it", async () => {
    const name = await schema();
    await migrations.create(declared(name));
    await database.sql(`insert into "${name}".schema_migrations values ('20990101000001')`);
    await database.sql("insert into tenant_migration_digests values ($1, $2, $3)", [
      ...[name, "20990101000001_newer.sql", "0".repeat(64)],
    ]);
    await expect(migrations.create(declared(name))).rejects.toThrow(
      `in schema ${name} the installed package is older than what is applied, which has ` +
        "20990101000001_newer.sql too: upgrade pulumi-tenant",
    );
  });

  it.each([
    [
      "insert into a values ('x'), ('x'); create unique index a_id on a (id)",
      'could not create unique index "a_id" (23505). DETAIL: Key (id)=(x) is duplicated; mend it',
    ],
    [
      `do $$ begin raise exception E'no "way"\\nfurther' using detail = E'two\nlines \\\\ ü 🐘', hint = 'turn'; end $$`,
      ". DETAIL: two lines \\ ü 🐘. HINT: turn; mend it",
    ],
    [
      "do $$ begin raise exception 'ask https://me:secret@db.example/x for it'; end $$",
      "failed in schema SCHEMA: pq: ask (URL) for it (P0001); mend it",
    ],
    ["select nothing_known()", /function nothing_known\(\) does not exist .*\. HINT: No function/],
  ])("that fails shows PostgreSQL's DETAIL and HINT: %s", async (statement, shown) => {
    const name = await schema();
    const text = `-- migrate:up\ncreate table a (id text); ${statement};\n-- migrate:down\n`;
    const directory = folder({ "1_a.sql": text });
    const attempt = migrations.create(declared(name, { migrationsDir: directory }));
    const words = typeof shown === "string" ? shown.replace("SCHEMA", name) : shown;
    await expect(attempt).rejects.toThrow(words);
    const { password } = new URL(process.env[database.urlEnv] ?? "");
    await expect(attempt).rejects.not.toThrow(password);
  });

  it("puts on record what a run that was killed after the last file did not", async () => {
    const name = await schema();
    const directory = folder({ "1_a.sql": good });
    await migrations.create(declared(name, { migrationsDir: directory }));
    await database.sql("delete from public.tenant_migration_digests where schema_name = $1", [
      name,
    ]);
    await migrations.create(declared(name, { migrationsDir: directory }));
    writeFileSync(path.join(directory, "1_a.sql"), good.replace("id int", "id text"));
    await expect(migrations.create(declared(name, { migrationsDir: directory }))).rejects.toThrow(
      /^1_a\.sql was edited after it was applied/,
    );
  });

  it("makes tables that are gone anew, empty, only where recreate says so", async () => {
    const [name, bystander] = [await schema(), await schema()];
    const directory = folder({ "1_a.sql": good });
    for (const each of [name, bystander]) {
      await migrations.create(declared(each, { migrationsDir: directory }));
    }
    await database.sql(`drop table "${name}".schema_migrations`);
    const again = declared(name, { migrationsDir: directory });
    await expect(migrations.create(again)).rejects.toThrow(
      `is gone: the tables of schema ${name}, with what 1 migrations had made`,
    );
    await database.sql(`drop schema "${name}" cascade`);
    await expect(migrations.create(again)).rejects.toThrow(`is gone: schema ${name}, with`);
    expect(await tablesOf(name)).toEqual([]);
    await migrations.create(declared(bystander, { migrationsDir: directory }));
    const said = jest.spyOn(console, "log").mockImplementation(() => undefined);
    await migrations.create({ ...again, recreate: true });
    expect(said.mock.calls.flat()).toEqual([expect.stringContaining("is made anew, EMPTY")]);
    said.mockRestore();
    expect(await tablesOf(name)).toEqual(["a", "schema_migrations"]);
  });

  it("ends the session of a run that was killed, and runs its file again", async () => {
    const name = await schema();
    const slow = good.replace("create table", "select pg_sleep(60); create table");
    const directory = folder({ "1_a.sql": slow });
    const inputs = declared(name, { migrationsDir: directory });
    const lost = migrations.create(inputs).catch((error: unknown) => String(error));
    const backends = (kind: string) =>
      database.sql<{ pid: number }>(
        `select pid from pg_stat_activity where datname = current_database() and ${kind}`,
      );
    const migrating = () => backends("application_name like 'pulumi-tenant migrations%'");
    // Before that dbmate may not have read the file yet, and would read the mended one.
    const asleep = () => backends("wait_event = 'PgSleep'");
    await eventually(async () => (await asleep()).length > 0 || undefined);
    // What a kill of the provider does to its lock, while dbmate lives on.
    await database.sql(
      `select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory'
      and database = (select oid from pg_database where datname = current_database())`,
    );
    writeFileSync(path.join(directory, "1_a.sql"), good);
    await migrations.create({ ...inputs, files: readMigrations(directory) });
    expect(await tablesOf(name)).toEqual(["a", "schema_migrations"]);
    expect(await migrating()).toEqual([]);
    await lost;
  });

  it("leaves alone what migrates another schema, and a copy of this one in another database", async () => {
    const name = await schema();
    const copy = await createTestDatabase();
    const migrating = async (url: string | undefined, schemaName: string) => {
      const application_name = sessionName(schemaName);
      const client = new Client({ connectionString: url, application_name });
      client.on("error", () => undefined);
      await client.connect();
      return client;
    };
    const others = [
      await migrating(copy.superuserUrl, name),
      await migrating(process.env[database.urlEnv], await schema()),
    ];
    try {
      await migrations.create(declared(name));
      for (const other of others) await other.query("select");
    } finally {
      await Promise.all(others.map((other) => other.end()));
      await copy.drop();
    }
  });

  it.each([
    ["in the URL, and then nowhere else", true],
    ["in PGPASSWORD, where the URL has none", false],
  ])("gives dbmate the password %s, and no secret besides", async (_, isInUrl) => {
    const url = new URL(process.env[database.urlEnv] ?? "");
    const { password } = url;
    if (!isInUrl) url.password = "";
    const given = {
      ...{ DBMATE_TEST_URL: url.href, PGPASSWORD: isInUrl ? "another" : password },
      ...{ JWT_SECRET: "a-secret", PULUMI_TENANT_INSTANCE: "this one" },
    };
    const before = { ...process.env };
    Object.assign(process.env, given);
    const holder = new Client(before[database.urlEnv]);
    await holder.connect();
    try {
      await holder.query("select pg_advisory_lock(4711)");
      const waits = good.replace(
        "create table",
        "select pg_advisory_xact_lock(4711); create table",
      );
      const directory = folder({ "1_a.sql": waits });
      const name = await schema();
      const inputs = declared(name, { urlEnv: "DBMATE_TEST_URL", migrationsDir: directory });
      const made = migrations.create(inputs);
      const { DBMATE_URL = "", ...rest } = await eventually(environmentOfDbmate);
      await holder.query("select pg_advisory_unlock(4711)");
      await made;
      expect(new URL(DBMATE_URL).password).toBe(isInUrl ? password : "");
      expect(rest).toEqual({
        ...{ PQGO_DEBUG: "1", PULUMI_TENANT_INSTANCE: "this one" },
        ...(isInUrl ? {} : { PGPASSWORD: password }),
      });
      expect(await tablesOf(name)).toEqual(["a", "schema_migrations"]);
    } finally {
      for (const variable of Object.keys(given)) Reflect.deleteProperty(process.env, variable);
      Object.assign(process.env, before);
      await holder.end();
    }
  });

  it("ends a dbmate whose connection has gone silent, and none that is at work; the next run finishes", async () => {
    const [name, atWork] = [await schema(), await schema()];
    const long = good.replace("create table", "select pg_sleep(23); create table");
    const working = migrations.create(
      declared(atWork, { migrationsDir: folder({ "1_a.sql": long }) }),
    );
    const network = await badNetworkTo(process.env[database.urlEnv] ?? "");
    process.env.BAD_URL = network.through(process.env[database.urlEnv] ?? "");
    const slow = good.replace("create table", "select pg_sleep(2); create table");
    const inputs = declared(name, {
      urlEnv: "BAD_URL",
      migrationsDir: folder({ "1_a.sql": slow }),
    });
    const lost = migrations.create(inputs).catch((error: unknown) => String(error));
    await eventually(async () => {
      const rows = await database.sql(
        `select from pg_stat_activity where datname = current_database()
        and application_name like 'pulumi-tenant migrations%' and wait_event = 'PgSleep'`,
      );
      return rows.length > 1 ? true : undefined;
    });
    network.silence("the newest");
    const began = performance.now();
    expect(await lost).toMatch(/dbmate was ended by SIGKILL/);
    expect(performance.now() - began).toBeLessThan(40_000);
    await migrations.create(inputs);
    expect(await tablesOf(name)).toEqual(["a", "schema_migrations"]);
    await working;
    expect(await tablesOf(atWork)).toEqual(["a", "schema_migrations"]);
    await network.close();
  }, 90_000);

  it("migrates more tenants at once than there are turns", async () => {
    const names: string[] = [];
    while (names.length < 12) names.push(await schema());
    await Promise.all(names.map((name) => migrations.create(declared(name))));
    for (const name of names) expect(await tablesOf(name)).toHaveLength(7);
  });

  it("never reads the .env of the folder it is started in", async () => {
    const name = await schema();
    const here = process.cwd();
    process.chdir(folder({ ".env": "DBMATE_URL=postgres://nobody@127.0.0.1:1/none\n" }));
    try {
      await migrations.create(declared(name));
    } finally {
      process.chdir(here);
    }
    expect(await tablesOf(name)).toContain("routes");
  });
});

describe("read", () => {
  it("shows a half-migrated schema as a change, and update finishes it", async () => {
    const name = await schema();
    const inputs = declared(name);
    const { outs } = await migrations.create(inputs);
    await database.sql(`delete from "${name}".schema_migrations where version = '20260101000006'`);
    await database.sql(`alter table "${name}".routes drop column dispatch_provider_id`);
    await database.sql(`drop table "${name}".dispatch_providers`);
    const { props } = (await migrations.read(name, outs)) as { props: Inputs };
    expect(migrations.diff(name, props, inputs).changes).toBe(true);
    await migrations.update(name, props, inputs);
    expect(await tablesOf(name)).toContain("dispatch_providers");
  });

  it("takes a schema that is dropped for gone, and an empty one for unmigrated", async () => {
    const name = await schema();
    const inputs = declared(name);
    expect(await migrations.read(name, inputs)).toMatchObject({
      id: name,
      props: { files: {}, version: "" },
    });
    await database.sql(`drop schema "${name}"`);
    expect(await migrations.read(name, inputs)).toEqual({});
  });
});

describe("delete", () => {
  it("drops nothing of a schema whose migration does not end, and says so", async () => {
    const name = await schema();
    const { outs } = await migrations.create(declared(name));
    const tables = await tablesOf(name);
    await withSchemaLock(outs.urlEnv, name, 0, async () => {
      const end = dropContents(outs.urlEnv, name, () => Promise.resolve(), 100);
      await expect(end).rejects.toMatchObject({ code: "SCHEMA_IN_USE" });
      await expect(end).rejects.toThrow(`schema ${name} is being migrated, and was not dropped`);
    });
    expect(await tablesOf(name)).toEqual(tables);
  });

  it("leaves everything without forceDestroy", async () => {
    const name = await schema();
    const { outs } = await migrations.create(declared(name, { forceDestroy: false }));
    await migrations.delete(name, outs);
    expect(await tablesOf(name)).toHaveLength(7);
  });

  it("with it empties the schema and leaves the schema", async () => {
    const name = await schema();
    const { outs } = await migrations.create(declared(name));
    await database.sql(`create view "${name}".v as select * from "${name}".routes`);
    await migrations.delete(name, outs);
    await migrations.delete(name, outs);
    expect(await tablesOf(name)).toEqual([]);
    expect(await database.sql("select from pg_namespace where nspname = $1", [name])).toHaveLength(
      1,
    );
  });

  it("refuses to reach past the schema, and names what is in the way", async () => {
    const [name, other] = [await schema(), await schema()];
    const { outs } = await migrations.create(declared(name));
    await database.sql(`create view "${other}".report as select id from "${name}".routes`);
    await database.sql(
      `create table "${other}".visits (route uuid references "${name}".routes (id))`,
    );
    await expect(migrations.delete(name, outs)).rejects.toThrow(
      /in use from outside.*visits.*report/,
    );
    expect(await tablesOf(name)).toHaveLength(7);
    expect(await tablesOf(other)).toEqual(["visits"]);
  });

  it("refuses what comes to depend on the schema while it waits for the tables", async () => {
    const [name, other] = [await schema(), await schema()];
    const { outs } = await migrations.create(declared(name));
    const reporter = new Client(process.env[database.urlEnv]);
    await reporter.connect();
    try {
      await reporter.query(
        `begin; create view "${other}".report as select id from "${name}".routes`,
      );
      const end = migrations.delete(name, outs).then(
        () => "dropped",
        (error: unknown) => String(error),
      );
      const waiting = () =>
        database.sql(
          `select from pg_locks where not granted and locktype = 'relation' and database =
            (select oid from pg_database where datname = current_database())`,
        );
      await eventually(async () => (await waiting()).length > 0 || undefined);
      await reporter.query("commit");
      expect(await end).toMatch(/in use from outside by view .*report: drop that first/);
    } finally {
      await reporter.end();
    }
    expect(await tablesOf(name)).toHaveLength(7);
    expect(await database.sql(`select from "${other}".report`)).toEqual([]);
  });
});

describe("every migration", () => {
  it("of a tenant can be taken back, and applied again", async () => {
    const name = await schema();
    await migrations.create(declared(name));
    await rollBackAll(name, tenantMigrationsDir);
    expect(await tablesOf(name)).toEqual(["schema_migrations"]);
    await migrations.create(declared(name));
    expect(await tablesOf(name)).toHaveLength(7);
  });
});

async function rollBackAll(schemaName: string, directory: string): Promise<void> {
  for (const file of readdirSync(directory).sort().reverse()) {
    const down = readFileSync(path.join(directory, file), "utf8").split("-- migrate:down")[1] ?? "";
    await database.sql(`set search_path = "${schemaName}"; ${down}; reset search_path`);
    const version = /^\d+/.exec(file)?.[0];
    await database.sql(`delete from "${schemaName}".schema_migrations where version = $1`, [
      version,
    ]);
  }
}
