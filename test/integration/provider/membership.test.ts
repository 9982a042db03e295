import { adminMembership, adminUser, tenantRecord } from "../../../provider/resources";
import { hashPassword } from "../../../provider/contract/passwords";
import { checked, useResourceDatabase } from "../../support/resources";

const database = useResourceDatabase();

type Inputs = Parameters<typeof adminMembership.create>[0];

let count = 0;
async function declared(forceDestroy = true, wanted: object = {}): Promise<Inputs> {
  const slug = `tenant-${++count}`;
  const common = { urlEnv: database.urlEnv, forceDestroy };
  const record = { ...common, name: "T", slug, owner: slug, tenantId: undefined };
  const tenantId = (await tenantRecord.create(record)).id;
  const password = await hashPassword("correct horse", slug);
  const admin = adminUser.check(
    {},
    {
      ...common,
      tenantId,
      email: `${slug}@acme.example`,
      password,
      firstName: "A",
      lastName: "D",
    },
  );
  const { id: userId } = await adminUser.create(checked(admin));
  return checked(
    adminMembership.check({}, { ...common, tenantId, userId, status: "active", ...wanted }),
  );
}
const statusOf = async (tenantId: string) =>
  (
    await database.sql<{ status: string }>("select status from tenants where id = $1", [tenantId])
  )[0]?.status;
const membersOf = (tenantId: string) =>
  database.sql("select user_id, role from tenant_users where tenant_id = $1", [tenantId]);

describe("create", () => {
  it("links the admin, and with that the tenant is active", async () => {
    const inputs = await declared();
    expect(await statusOf(inputs.tenantId)).toBe("provisioning");
    const { id } = await adminMembership.create(inputs);
    expect(id).toBe(`${inputs.tenantId}/${inputs.userId}`);
    expect(await statusOf(inputs.tenantId)).toBe("active");
    expect(await membersOf(inputs.tenantId)).toEqual([{ user_id: inputs.userId, role: "ADMIN" }]);
  });

  it("run twice makes one membership", async () => {
    const inputs = await declared();
    await adminMembership.create(inputs);
    await adminMembership.create(inputs);
    expect(await membersOf(inputs.tenantId)).toHaveLength(1);
  });

  it("leaves the tenant as it was when the membership cannot be made", async () => {
    const inputs = await declared();
    const nobody = { ...inputs, userId: "660e8400-e29b-41d4-a716-446655440000" };
    await expect(adminMembership.create(nobody)).rejects.toThrow();
    expect(await statusOf(inputs.tenantId)).toBe("provisioning");
  });

  it("says what to do when the tenant is gone", async () => {
    const inputs = { ...(await declared()), tenantId: "660e8400-e29b-41d4-a716-446655440000" };
    await expect(adminMembership.create(inputs)).rejects.toThrow("run pulumi refresh, then up");
  });
});

describe("read", () => {
  it("takes a removed membership for gone", async () => {
    const inputs = await declared();
    const { id, outs } = await adminMembership.create(inputs);
    expect(await adminMembership.read(id, outs)).toEqual({ id, props: outs });
    await database.sql("delete from tenant_users where tenant_id = $1", [inputs.tenantId]);
    expect(await adminMembership.read(id, outs)).toEqual({});
  });

  it("shows a tenant that is not active any more as a change, and update repairs it", async () => {
    const inputs = await declared();
    const { id, outs } = await adminMembership.create(inputs);
    await database.sql("update tenants set status = 'provisioning' where id = $1", [
      inputs.tenantId,
    ]);
    const { props } = (await adminMembership.read(id, outs)) as unknown as { props: Inputs };
    expect(adminMembership.diff(id, props, inputs)).toEqual({ changes: true, replaces: [] });
    await adminMembership.update(id, props, inputs);
    expect(await statusOf(inputs.tenantId)).toBe("active");
  });
});

describe("an admin who is a member only", () => {
  const rolesOf = async (tenantId: string) =>
    (await membersOf(tenantId)).map(({ role }: { role?: string }) => role);
  const demote = (tenantId: string) =>
    database.sql("update tenant_users set role = 'MEMBER' where tenant_id = $1", [tenantId]);

  it("is made admin when the step is made, and no other member of the tenant is", async () => {
    const [inputs, other] = [await declared(), await declared()];
    await database.sql(
      "insert into tenant_users (tenant_id, user_id, role) values ($1, $2, 'MEMBER'), ($1, $3, 'MEMBER')",
      [inputs.tenantId, inputs.userId, other.userId],
    );
    await adminMembership.create(inputs);
    expect(await membersOf(inputs.tenantId)).toEqual(
      expect.arrayContaining([
        { user_id: inputs.userId, role: "ADMIN" },
        { user_id: other.userId, role: "MEMBER" },
      ]),
    );
  });

  it("is a change that a refresh shows, and that update repairs", async () => {
    const inputs = await declared();
    const { id, outs } = await adminMembership.create(inputs);
    await demote(inputs.tenantId);
    const { props } = (await adminMembership.read(id, outs)) as { props: Inputs };
    expect(props).toEqual({ ...outs, role: "MEMBER" });
    expect(adminMembership.diff(id, props, inputs)).toEqual({ changes: true, replaces: [] });
    const { outs: repaired } = await adminMembership.update(id, props, inputs);
    expect(await rolesOf(inputs.tenantId)).toEqual(["ADMIN"]);
    expect(await adminMembership.read(id, repaired)).toEqual({ id, props: repaired });
  });

  it("is found too in a state that says nothing of the role, which else stays as it is", async () => {
    const inputs = await declared();
    const { id, outs } = await adminMembership.create(inputs);
    const { role, ...old } = outs;
    expect(role).toBe("ADMIN");
    expect(await adminMembership.read(id, old)).toEqual({ id, props: old });
    expect(adminMembership.diff(id, old, inputs).changes).toBe(false);
    await demote(inputs.tenantId);
    const { props } = (await adminMembership.read(id, old)) as { props: Inputs };
    expect(adminMembership.diff(id, props, inputs).changes).toBe(true);
  });
});

describe("delete", () => {
  it("removes this membership alone, and only with forceDestroy", async () => {
    const [kept, removed] = [await declared(false), await declared()];
    for (const inputs of [kept, removed]) {
      const { id, outs } = await adminMembership.create(inputs);
      await adminMembership.delete(id, outs);
    }
    expect(await membersOf(kept.tenantId)).toHaveLength(1);
    expect(await membersOf(removed.tenantId)).toEqual([]);
  });

  it("with forceDestroy takes the tenant out of service in the same transaction", async () => {
    const [inputs, bystander] = [await declared(), await declared()];
    await adminMembership.create(bystander);
    const { id, outs } = await adminMembership.create(inputs);
    await adminMembership.delete(id, outs);
    await adminMembership.delete(id, outs);
    expect(await statusOf(inputs.tenantId)).toBe("deleted");
    expect(await statusOf(bystander.tenantId)).toBe("active");
    await adminMembership.create(inputs);
    expect(await statusOf(inputs.tenantId)).toBe("active");
  });

  it("takes nothing while something outside depends on the tenant's schema, and names it", async () => {
    const inputs = await declared();
    const { id, outs } = await adminMembership.create(inputs);
    await database.sql(`create schema "tenant_${inputs.tenantId}"`);
    await database.sql(`create table "tenant_${inputs.tenantId}".routes (id int)`);
    await database.sql(
      `create view public.report as select id from "tenant_${inputs.tenantId}".routes`,
    );
    await expect(adminMembership.delete(id, outs)).rejects.toThrow(
      /in use from outside by view (public\.)?report: drop that first/,
    );
    expect(await statusOf(inputs.tenantId)).toBe("active");
    expect(await membersOf(inputs.tenantId)).toHaveLength(1);
    await database.sql("drop view public.report");
    await adminMembership.delete(id, outs);
    expect(await membersOf(inputs.tenantId)).toEqual([]);
  });
});

describe("the end of a tenant that is somebody else's by now", () => {
  const give = (tenantId: string, owner: string | null) =>
    database.sql("update tenants set owner = $2 where id = $1", [tenantId, owner]);

  it.each([
    ["another's", "o/shop/other::acme", "is o/shop/other::acme's now"],
    ["nobody's", null, "has no owner any more"],
  ])("is refused where it is %s, and nothing of it changes", async (_whose, owner, words) => {
    const inputs = await declared(true, { owner: "o/shop/dev::acme" });
    const { id, outs } = await adminMembership.create(inputs);
    await give(inputs.tenantId, owner);
    const end = adminMembership.delete(id, outs);
    await expect(end).rejects.toMatchObject({ code: "OWNER_CHANGED" });
    await expect(end).rejects.toThrow(words);
    await expect(end).rejects.toThrow(
      "pulumi state delete --target-dependents --yes 'urn:pulumi:dev::shop::pulumi-tenant:index:Tenant::acme'",
    );
    expect(await statusOf(inputs.tenantId)).toBe("active");
    expect(await membersOf(inputs.tenantId)).toHaveLength(1);
    await give(inputs.tenantId, "o/shop/dev::acme");
    await adminMembership.delete(id, outs);
    expect(await statusOf(inputs.tenantId)).toBe("deleted");
  });

  it("changes nothing where it is released, whoever has it", async () => {
    const inputs = await declared(true, { owner: "o/shop/dev::acme", release: true });
    const { id, outs } = await adminMembership.create(inputs);
    await give(inputs.tenantId, "o/shop/other::acme");
    await adminMembership.delete(id, outs);
    expect(await statusOf(inputs.tenantId)).toBe("active");
  });

  it("goes on where the tenant's row is gone", async () => {
    const inputs = await declared(true, { owner: "o/shop/dev::acme" });
    const { id, outs } = await adminMembership.create(inputs);
    await database.sql("delete from tenant_users where tenant_id = $1", [inputs.tenantId]);
    await database.sql("delete from tenants where id = $1", [inputs.tenantId]);
    await expect(adminMembership.delete(id, outs)).resolves.toBeUndefined();
  });

  it("is known by the owner, whose change is one of the step, but for a state that has none", async () => {
    const inputs = await declared(true, { owner: "o/shop/dev::acme" });
    const { owner, ...old } = inputs;
    expect(owner).toBe("o/shop/dev::acme");
    expect(adminMembership.diff("", old, inputs).changes).toBe(false);
    const renamed = { ...inputs, owner: "o/shop/dev::other" };
    expect(adminMembership.diff("", inputs, renamed)).toEqual({ changes: true, replaces: [] });
  });
});

describe("a status that is declared", () => {
  const timesOf = async (tenantId: string) =>
    (
      await database.sql(
        `select status, suspended_at is not null as suspended, deleted_at is not null as deleted
        from tenants where id = $1`,
        [tenantId],
      )
    )[0];

  it("is set with its time, which goes when the tenant is active again", async () => {
    const inputs = await declared();
    const { outs } = await adminMembership.create(inputs);
    const become = (status: Inputs["status"]) =>
      adminMembership.update("", outs, { ...inputs, status });
    await become("suspended");
    expect(await timesOf(inputs.tenantId)).toEqual({
      ...{ status: "suspended", suspended: true, deleted: false },
    });
    await become("deleted");
    expect(await timesOf(inputs.tenantId)).toEqual({
      ...{ status: "deleted", suspended: true, deleted: true },
    });
    await become("suspended");
    expect(await timesOf(inputs.tenantId)).toEqual({
      ...{ status: "suspended", suspended: true, deleted: false },
    });
    await become("active");
    expect(await timesOf(inputs.tenantId)).toEqual({
      ...{ status: "active", suspended: false, deleted: false },
    });
    expect(await membersOf(inputs.tenantId)).toHaveLength(1);
  });

  it("that was changed behind its back shows as a change", async () => {
    const inputs = await declared(true, { status: "suspended" });
    const { id, outs } = await adminMembership.create(inputs);
    expect(await statusOf(inputs.tenantId)).toBe("suspended");
    await database.sql("update tenants set status = 'active' where id = $1", [inputs.tenantId]);
    const { props } = (await adminMembership.read(id, outs)) as unknown as { props: Inputs };
    expect(adminMembership.diff(id, props, inputs).changes).toBe(true);
  });

  it("of an older generation changes nothing, and its end neither", async () => {
    const inputs = await declared(true, { status: "suspended", generation: 2 });
    const { id, outs } = await adminMembership.create(inputs);
    const older: Inputs = { ...inputs, status: "active", generation: 1 };
    const words = /^OVERTAKEN: .* generation 2 .* generation 1: nothing was changed/;
    await expect(adminMembership.update(id, outs, older)).rejects.toThrow(words);
    await expect(adminMembership.delete(id, older)).rejects.toThrow(words);
    expect(await statusOf(inputs.tenantId)).toBe("suspended");
    expect(await membersOf(inputs.tenantId)).toHaveLength(1);
    await adminMembership.update(id, outs, { ...older, generation: 2 });
    expect(await statusOf(inputs.tenantId)).toBe("active");
  });

  it("that would take a slug from its holder names the holder", async () => {
    const inputs = await declared();
    const { id, outs } = await adminMembership.create(inputs);
    await database.sql("update tenants set status = 'deleted' where id = $1", [inputs.tenantId]);
    await database.sql(
      `insert into tenants (slug, name, owner) select slug, 'Other', 'o/p/other::x' from tenants
      where id = $1`,
      [inputs.tenantId],
    );
    await expect(adminMembership.update(id, outs, inputs)).rejects.toThrow(
      /^slug tenant-\d+ is taken, by tenant .* of o\/p\/other::x/,
    );
    expect(await statusOf(inputs.tenantId)).toBe("deleted");
  });
});
