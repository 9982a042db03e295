import { Client } from "pg";
import { createTestDatabase } from "../support/database";
import { docBlock } from "../support/docs";
import { tenant, usePulumiProject } from "../support/pulumi";

const project = usePulumiProject("examples/three-tenants", [
  "Pulumi.yaml",
  "package.json",
  "index.js",
]);
const up = ["up", "--yes", "--skip-preview"];

/** Everything that a person or a pipeline runs on a stack. */
const commands = [
  ["preview"],
  up,
  [...up, "--refresh"],
  ["refresh", "--yes", "--skip-preview"],
  ["destroy", "--yes", "--skip-preview"],
];

const tenants = () =>
  project.sql(
    `select t.id, t.slug, t.status, m.user_id,
      (select count(*)::int from pg_tables where schemaname = 'tenant_' || t.id) as tables
    from tenants t left join tenant_users m on m.tenant_id = t.id order by slug`,
  );
const identity = async () =>
  (await project.sql<{ id: string; server: string }>("select id, server from tenant_database"))[0];

async function expectRefused(words: RegExp, refused = commands): Promise<void> {
  for (const command of refused) {
    const { code, output } = await project.tryRun(...command);
    const succeeded = code === 0;
    expect({ command, succeeded, output }).toEqual({
      ...{ command, succeeded: false },
      output: expect.stringMatching(words) as string,
    });
  }
}

/** Runs the commands with another database behind DATABASE_URL, and gives what is in that then. */
async function elsewhere(
  options: { migrated: boolean },
  work: () => Promise<void>,
): Promise<{ schemas: number; tables: number }> {
  const { DATABASE_URL } = project.env;
  const other = await createTestDatabase(options);
  project.env.DATABASE_URL = other.url;
  const client = new Client(other.superuserUrl);
  await client.connect();
  try {
    await work();
    const { rows } = await client.query<{ schemas: number; tables: number }>(
      `select (select count(*)::int from pg_namespace where nspname like 'tenant%') as schemas,
        (select count(*)::int from pg_tables where schemaname = 'public') as tables`,
    );
    return rows[0] ?? { schemas: -1, tables: -1 };
  } finally {
    project.env.DATABASE_URL = DATABASE_URL;
    await client.end();
    await other.drop();
  }
}

beforeAll(async () => {
  await project.configure([tenant("acme")]);
  await project.run(...up);
});

describe("another database behind DATABASE_URL", () => {
  it("is refused by every command when it is empty, and stays empty", async () => {
    const words = /OTHER_DATABASE: DATABASE_URL names another database.*has no identity/;
    expect(await elsewhere({ migrated: false }, () => expectRefused(words))).toEqual({
      schemas: 0,
      tables: 0,
    });
  });

  it("is refused by every command when it has control tables; the error names what differs", async () => {
    const { id = "none" } = (await identity()) ?? {};
    const words = new RegExp(
      `the state is about database test_\\w+ \\(id ${id}\\), and this one is another ` +
        `\\(id \\S+ instead of ${id}, name \\w+ instead of \\w+\\)`,
    );
    expect(await elsewhere({ migrated: true }, () => expectRefused(words))).toMatchObject({
      schemas: 0,
    });
  });

  it("leaves the stack and the right database as they were", async () => {
    const before = await tenants();
    expect(before).toMatchObject([{ slug: "acme", status: "active", tables: 7 }]);
    await project.run(...up, "--refresh");
    await project.run("preview", "--expect-no-changes");
    expect(await tenants()).toEqual(before);
  });
});

describe("a database that does not answer", () => {
  it.each([
    ["has another password", (url: URL) => (url.password = "wrong")],
    ["is down", (url: URL) => (url.port = "1")],
  ])(
    "because it %s fails an up that has nothing to change, and a preview says so once",
    async (_why, spoil) => {
      const { DATABASE_URL = "" } = project.env;
      const url = new URL(DATABASE_URL);
      spoil(url);
      project.env.DATABASE_URL = url.href;
      try {
        await expectRefused(/the database of DATABASE_URL does not answer: /, [up]);
        const preview = await project.run("preview");
        // Each is told as it comes, and again at the end.
        const [, diagnostics = ""] = preview.split("Diagnostics:");
        expect(diagnostics.match(/warning: the database of DATABASE_URL does not answer/g)).toEqual(
          [expect.any(String)],
        );
      } finally {
        project.env.DATABASE_URL = DATABASE_URL;
      }
    },
  );
});

describe("a copy of the database", () => {
  // What a dump that is restored on another server, or under another name, comes with.
  beforeEach(() => project.sql("update tenant_database set server = '1'"));

  const sayWhatItIs = (heading: string) => project.sql(docBlock("docs/stacks.md", heading, "sql"));

  it("is refused until somebody says what it is", async () => {
    await expectRefused(
      /OTHER_DATABASE: this database is a copy of test_\w+ \(server \d+ instead of 1\)/,
    );
  });

  it("that takes the original's place goes on with its stacks, which then refuse the original", async () => {
    const before = await tenants();
    const original = await identity();
    await sayWhatItIs("A copy that takes the original's place");
    await project.run(...up);
    await project.run("preview", "--expect-no-changes");
    await project.run("refresh", "--yes", "--expect-no-changes");
    expect(await tenants()).toEqual(before);

    const copy = await identity();
    await project.sql("update tenant_database set id = $1, replaces = default", [original?.id]);
    await expectRefused(/is another \(id \S+ instead of \S+\)/);
    await project.sql("update tenant_database set id = $1", [copy?.id]);
  });

  it("that is one of its own is another database to the original's stacks", async () => {
    const original = await identity();
    await sayWhatItIs("A copy that is a database of its own");
    await expectRefused(/is another \(id \S+ instead of \S+\)/);
    await project.sql("update tenant_database set id = $1", [original?.id]);
    await project.run("preview", "--expect-no-changes");
  });
});
