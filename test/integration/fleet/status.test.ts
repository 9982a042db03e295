import type { TenantGroup } from "../../../fleet/status";
import { useFleet } from "../../support/fleet";

const fleet = useFleet();
beforeEach(() => fleet.reset());

const group = (values: Partial<TenantGroup>): TenantGroup => ({
  ...{ owner: "service", version: "1", lacks: [], tenants: 1, behind: [], failures: [], ...values },
});
const groups = async (...args: string[]) => {
  const { code, stdout, stderr } = await fleet.run("status", "--json", ...args);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return JSON.parse(stdout) as TenantGroup[];
};

test("tenants are counted by owner and by what they lack, and those behind are named", async () => {
  await fleet.addTenants(2, { prefix: "old" });
  await fleet.addTenants(1, { prefix: "declared", owner: "acme/shop/prod" });
  fleet.write("2_more.sql", "create table b (id int)");
  fleet.write("3_most.sql", "create table c (id int)");
  await fleet.addTenants(3, { prefix: "new" });
  const lacks = ["2_more.sql", "3_most.sql"];
  const ofService = [
    group({ tenants: 2, lacks, behind: ["old-001", "old-002"] }),
    group({ tenants: 3, version: "3" }),
  ];
  const ofStack = group({ owner: "acme/shop/prod", lacks, behind: ["declared-001"] });
  expect(await groups("--owner", "all")).toEqual([ofStack, ...ofService]);
  expect(await groups()).toEqual(ofService);
  expect(await groups("--owner", "acme/shop/prod")).toEqual([ofStack]);
  expect(await groups("--only", "old-002,new-001")).toEqual([
    group({ lacks, behind: ["old-002"] }),
    group({ version: "3" }),
  ]);
});

test("without --json it is a table, and a line that sums up", async () => {
  await fleet.addTenants(22, { prefix: "old" });
  fleet.write("2_more.sql", "create table b (id int)");
  await fleet.addTenants(1, { prefix: "new", status: "suspended" });
  const { stdout } = await fleet.run("status");
  expect(stdout.split("\n").slice(0, 3)).toEqual([
    "owner    version  tenants  lacks",
    "service  1             22  2_more.sql",
    "service  2              1  nothing",
  ]);
  expect(stdout).toMatch(/\n23 tenants, 22 behind: old-001, .*old-020 and 2 more\n$/);
});

test("a tenant that is being set up, and one that was let go, are not counted", async () => {
  const [, letGo] = await fleet.addTenants(2, { owner: "acme/shop/prod" });
  await fleet.addTenants(1, { prefix: "begun", status: "provisioning" });
  await fleet.sql("update public.tenants set owner = null where slug = $1", [letGo]);
  expect(await groups("--owner", "all")).toEqual([group({ owner: "acme/shop/prod" })]);
});

test("a slug that is no tenant's, and a command that there is not, are refused", async () => {
  await fleet.addTenants(1);
  expect(await fleet.run("status", "--only", "t-001,nobody")).toEqual({
    ...{ code: 1, stdout: "" },
    stderr: "no tenant of service has the slug nobody\n",
  });
  expect((await fleet.run("stauts")).stderr).toBe(
    "name one of status, plan, migrate, resume, watch, pause, cancel, rollback: see --help\n",
  );
  expect((await fleet.run("status", "--ownr", "all")).stderr).toMatch(/--ownr.*: see --help\n$/);
  expect((await fleet.run("--help")).stdout).toMatch(/npm run fleet -- status/);
});
