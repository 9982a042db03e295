import { readdirSync, readFileSync, statSync } from "node:fs";
import path from "node:path";
import { fileState, stacksIn } from "../support/pulumi-state";
import { eventually } from "../support/killable-service";
import { tenant, usePulumiProject } from "../support/pulumi";
import { postSetUp, send, tenantBody } from "../support/service-client";
import { useServiceDatabase } from "../support/service-database";
import { cleanUpServices, serviceEnvironment, startService } from "../support/service-process";
import { signed } from "../support/service-tokens";

// Before the database's own, which drops it: they run in this order.
afterAll(cleanUpServices);
const database = useServiceDatabase({ migrated: false });
const project = usePulumiProject("examples/three-tenants", [
  ...["Pulumi.yaml", "package.json", "index.js"],
]);
const up = ["up", "--yes", "--skip-preview"];

/** The tables of the database in which a text occurs, and how often. */
async function tracesOf(text: string): Promise<Record<string, number>> {
  const tables = await database.sql<{ name: string }>(
    `select format('%I.%I', schemaname, tablename) as name from pg_tables
    where schemaname not in ('pg_catalog', 'information_schema')`,
  );
  const found: Record<string, number> = {};
  for (const { name } of tables) {
    const [row] = await database.sql<{ count: number }>(
      `select count(*)::int as count from ${name} t where t::text like $1`,
      [`%${text}%`],
    );
    if (row && row.count > 0) found[name] = row.count;
  }
  return found;
}

/** The files of a folder, at any depth, in which a text occurs. */
function filesWith(text: string, folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .map((name) => path.join(folder, name))
    .filter((file) => statSync(file).isFile() && readFileSync(file, "utf8").includes(text));
}

test("a whole life over HTTP and in a stack leaves no trace but its history", async () => {
  const token = await signed({ expiresIn: 3_600, claims: { sub: "ana", role: "SUPER_ADMIN" } });
  const env = serviceEnvironment(database.url());
  const base = await startService({ ...env, SETUP_WAIT: "120" }).url;
  project.env.DATABASE_URL = database.url();
  const call = async (method: string, address: string, body?: object) =>
    (await send(`${base}/api/tenant/${address}`, { method, token, ...(body && { body }) })).body;
  const status = async () => (await call("GET", id)).status;

  const asked = tenantBody({ slug: "umbrella", adminEmail: "ana@umbrella.example" });
  const { id = "" } = (await postSetUp(base, token, asked)).body;
  expect(await call("PATCH", id, { name: "Umbrella Labs", slug: "umbrella-labs" })).toMatchObject({
    ...{ id, name: "Umbrella Labs", slug: "umbrella-labs", status: "active" },
  });
  expect(await call("POST", `${id}/suspend`)).toMatchObject({ status: "suspended" });
  expect(await call("POST", `${id}/resume`)).toMatchObject({ status: "active" });
  const stack = await database.stackOf("umbrella-labs");
  expect(await call("POST", `${id}/release`)).toMatchObject({ status: "active", managedBy: null });

  const declared = tenant("umbrella-labs", {
    ...{ name: "Umbrella Labs", adminEmail: "ana@umbrella.example" },
  });
  await project.configure([{ ...declared, adopt: true }]);
  await project.run(...up);
  await project.configure([declared]);
  await project.run("preview", "--refresh", "--expect-no-changes");
  expect(await call("GET", id)).toMatchObject({
    managedBy: "organization/three-tenants/dev::umbrella-labs",
  });

  await project.configure([]);
  await project.run(...up);
  expect(await status()).toBe("deleted");
  await project.configure([declared]);
  await project.run(...up);
  expect(await status()).toBe("active");

  await project.configure([{ ...declared, forceDestroy: true }]);
  await project.run(...up);
  await project.configure([]);
  await project.run(...up);
  expect((await send(`${base}/api/tenant/${id}`, { token })).status).toBe(404);

  await eventually(async () => {
    const stacks = await stacksIn(fileState(env.state));
    return stacks.includes(stack) ? undefined : true;
  });
  expect(filesWith("ana@umbrella.example", env.state)).toEqual([]);
  // Set-up, change, suspend, resume, release: operations are history.
  expect(await tracesOf(id)).toEqual({ "public.operations": 5 });
  expect(await tracesOf("ana@umbrella.example")).toEqual({});
  const left = `select nspname as name from pg_namespace where nspname like $1
    union all select rolname from pg_roles where rolname like $1`;
  expect(await database.sql(left, [`%${id}%`])).toEqual([]);
  expect(await project.run("stack", "export")).not.toContain(id);
});
