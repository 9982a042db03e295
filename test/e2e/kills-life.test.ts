import { randomBytes, randomUUID } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { Client } from "pg";
import { addHoldPoints, hold, type HoldPoint } from "../support/hold-points";
import { eventually } from "../support/killable-service";
import { tenant, usePulumiProject } from "../support/pulumi";

const project = usePulumiProject("examples/three-tenants", [
  "Pulumi.yaml",
  "package.json",
  "index.js",
]);
const up = ["up", "--yes", "--skip-preview"];
const role = `product_${randomBytes(4).toString("hex")}`;
const database = {
  url: () => project.env.DATABASE_URL ?? "",
  asSuperuser: async (statement: string) => {
    await superuser.query(statement);
  },
};
let superuser: Client;

/** What a stack declares of the tenant; nothing of one that is left out. */
const declarations = {
  active: [tenant("acme")],
  suspended: [tenant("acme", { suspended: true })],
  deleted: [tenant("acme", { deleted: true })],
  "left out": [],
};

async function configure(wanted: keyof typeof declarations): Promise<void> {
  await project.configure([...declarations[wanted], tenant("bystander")]);
  await project.run("config", "set", "--path", "database.productRoles[0]", role);
}

/** The status of each tenant, and whether the product can use its schema. */
const found = () =>
  project.sql(
    `select slug, status, has_schema_privilege($1, 'tenant_' || id, 'usage') as open
    from tenants order by slug`,
    [role],
  );
const bystander = { slug: "bystander", status: "active", open: true };
const acme = (status: string) => ({ slug: "acme", status, open: status === "active" });

beforeAll(async () => {
  const url = new URL(process.env.TEST_POSTGRES_URL ?? "");
  superuser = new Client(Object.assign(url, { pathname: new URL(database.url()).pathname }).href);
  superuser.on("error", () => undefined); // The database goes first.
  await superuser.connect();
  await superuser.query(`create role ${role}`);
  await configure("active");
  await project.run(...up);
  await addHoldPoints(database);
});
afterAll(async () => {
  await superuser.end();
  const server = new Client(process.env.TEST_POSTGRES_URL);
  await server.connect();
  await server.query(`drop role ${role}`);
  await server.end();
});

/** The processes with this value in their environment: a run of the CLI, and all that it started. */
function processesOf(mark: string): { pid: number; command: string }[] {
  return readdirSync("/proc").flatMap((name) => {
    try {
      if (!/^\d+$/.test(name) || !readFileSync(`/proc/${name}/environ`, "utf8").includes(mark))
        return [];
      return [{ pid: Number(name), command: readFileSync(`/proc/${name}/cmdline`, "utf8") }];
    } catch {
      return [];
    }
  });
}

/** Runs `up` until a statement of it waits at the point, and kills it there, or the CLI alone. */
async function killAt(point: HoldPoint, whom: "all of it" | "the CLI"): Promise<void> {
  const mark = randomUUID();
  project.env.KILL_MARK = mark;
  const held = await hold(database, point);
  const run = project.tryRun(...up);
  await held.reached();
  for (const { pid, command } of processesOf(mark)) {
    if (whom === "all of it" || command.includes("/pulumi\0up\0")) process.kill(pid, "SIGKILL");
  }
  await held.release();
  expect((await run).code).toBeNull();
  await eventually(async () => {
    const working = await superuser.query(
      `select from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()
        and state <> 'idle'`,
    );
    return working.rowCount === 0 ? true : undefined;
  });
  for (const { pid } of processesOf(mark)) process.kill(pid, "SIGKILL");
  delete project.env.KILL_MARK;
}

describe("a run that dies", () => {
  it.each([
    ["all of it", "active", "suspended", "suspended"],
    ["all of it", "active", "deleted", "deleted"],
    ["all of it", "deleted", "active", "provisioning"],
    ["all of it", "deleted", "active", "active"],
    ["all of it", "left out", "suspended", "provisioning"],
    // Its providers end a little later than the CLI alone, and may commit until then.
    ["the CLI", "active", "left out", "deleted"],
  ] as const)(
    "(%s) on the way from %s to %s, while the tenant becomes %s, is ended by the next one",
    async (whom, from, to, step) => {
      await configure(from);
      await project.run(...up);
      const before = await found();
      await configure(to);
      await killAt(`in becoming ${step}`, whom);
      const [left, other] = await found();
      expect(other).toEqual(bystander);
      // Published and open, or neither; what is being restored is neither.
      expect([before[0], acme("provisioning"), acme(step)]).toContainEqual(left);
      await project.run("cancel", "--yes");
      await project.run(...up);
      expect(await found()).toEqual([acme(to === "left out" ? "deleted" : to), bystander]);
      await project.run("preview", "--refresh", "--expect-no-changes");
    },
  );
});
