import { randomUUID } from "node:crypto";
import { tenantRecord } from "../../../provider/resources";
import { checked, useResourceDatabase } from "../../support/resources";

const database = useResourceDatabase();

type Inputs = Parameters<typeof tenantRecord.create>[0];
interface Row {
  id: string;
  name: string;
  slug: string;
  status: string;
  owner: string;
}

let count = 0;
const declared = (overrides: Partial<Inputs> = {}): Inputs => {
  const slug = `tenant-${++count}`;
  return checked<Inputs>(
    tenantRecord.check(
      {},
      {
        name: "Acme",
        slug,
        owner: `o/p/s::${slug}`,
        forceDestroy: false,
        urlEnv: database.urlEnv,
        ...overrides,
      },
    ),
  );
};
const rowsOf = (slug: string) =>
  database.sql<Row>("select id, name, slug, status, owner from tenants where slug = $1", [slug]);

describe("create", () => {
  it("makes a row that is provisioning, with an id from the database", async () => {
    const inputs = declared();
    const { id, outs } = await tenantRecord.create(inputs);
    expect(await rowsOf(inputs.slug)).toEqual([
      { id, name: "Acme", slug: inputs.slug, status: "provisioning", owner: inputs.owner },
    ]);
    expect(outs).toMatchObject({ ...inputs, mark: expect.any(String) as string });
  });

  it("run twice finds its own row and makes nothing", async () => {
    const inputs = declared();
    const first = await tenantRecord.create(inputs);
    const second = await tenantRecord.create({ ...inputs, name: "Acme Ltd" });
    expect(second.id).toBe(first.id);
    expect(await rowsOf(inputs.slug)).toMatchObject([{ name: "Acme Ltd" }]);
  });

  it("takes the id that the program names", async () => {
    const tenantId = randomUUID();
    expect((await tenantRecord.create(declared({ tenantId }))).id).toBe(tenantId);
  });

  it("refuses a slug that a tenant of the same owner with another id has", async () => {
    const inputs = declared();
    const { id } = await tenantRecord.create(inputs);
    const other = { ...inputs, name: "Other", tenantId: randomUUID() };
    await expect(tenantRecord.create(other)).rejects.toThrow(
      `slug ${inputs.slug} is taken, by tenant ${inputs.slug} (id ${id})`,
    );
    expect(await rowsOf(inputs.slug)).toMatchObject([{ id, name: "Acme" }]);
  });

  it("refuses a slug of another owner, names that owner, and changes nothing", async () => {
    const inputs = declared();
    await tenantRecord.create(inputs);
    const before = await rowsOf(inputs.slug);
    const thief = { ...inputs, owner: "o/p/other::x", name: "Mine" };
    await expect(tenantRecord.create(thief)).rejects.toThrow(
      `of ${inputs.owner}: choose another slug`,
    );
    expect(await rowsOf(inputs.slug)).toEqual(before);
  });

  it("goes on with the row of its id, whose slug was changed by a run that died", async () => {
    const tenantId = randomUUID();
    const before = declared({ tenantId });
    await tenantRecord.create(before);
    const after = { ...before, slug: `${before.slug}-renamed`, name: "Acme Ltd" };
    expect((await tenantRecord.create(after)).id).toBe(tenantId);
    expect(await rowsOf(after.slug)).toMatchObject([{ id: tenantId, name: "Acme Ltd" }]);
    expect(await rowsOf(before.slug)).toEqual([]);
  });

  it("refuses an id that another tenant has", async () => {
    const tenantId = randomUUID();
    const inputs = declared({ tenantId });
    await tenantRecord.create(inputs);
    await expect(tenantRecord.create(declared({ tenantId }))).rejects.toThrow(inputs.slug);
  });

  it("among twenty owners at once, lets exactly one have the slug", async () => {
    const inputs = declared();
    const tries = await Promise.allSettled(
      Array.from({ length: 20 }, (_, i) =>
        tenantRecord.create({ ...inputs, owner: `o/p/s${i}::x` }),
      ),
    );
    expect(tries.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    expect(await rowsOf(inputs.slug)).toHaveLength(1);
  });

  it.each([
    'O\'Brien & "Sons"; drop table tenants',
    "$(reboot)",
    "../../etc",
    "ünïcode 🏢 \\",
    "%s{{7*7}}",
  ])("stores the name %s as it is", async (name) => {
    const inputs = declared({ name });
    await tenantRecord.create(inputs);
    expect(await rowsOf(inputs.slug)).toMatchObject([{ name }]);
  });
});

describe("read", () => {
  it("finds the row as it is now", async () => {
    const inputs = declared();
    const { id, outs } = await tenantRecord.create(inputs);
    await database.sql("update tenants set name = 'Changed by hand' where id = $1", [id]);
    expect(await tenantRecord.read(id, outs)).toEqual({
      id,
      props: { ...outs, name: "Changed by hand" },
    });
  });

  it("shows a row that was deleted as a change, and update makes it again with the same id", async () => {
    const inputs = declared();
    const { id, outs } = await tenantRecord.create(inputs);
    await database.sql("delete from tenants where id = $1", [id]);
    const { props } = await tenantRecord.read(id, outs);
    expect(tenantRecord.diff(id, props as Inputs, inputs)).toMatchObject({
      changes: true,
      replaces: [],
    });
    await tenantRecord.update(id, props as Inputs, inputs);
    expect(await rowsOf(inputs.slug)).toMatchObject([{ id, status: "provisioning" }]);
  });

  it("shows a row that somebody marked deleted as a change, and update takes it back", async () => {
    const inputs = declared();
    const { id, outs } = await tenantRecord.create(inputs);
    await database.sql("update tenants set status = 'deleted' where id = $1", [id]);
    const { props } = await tenantRecord.read(id, outs);
    expect(tenantRecord.diff(id, props as Inputs, inputs)).toMatchObject({
      changes: true,
      replaces: [],
    });
    await tenantRecord.update(id, props as Inputs, inputs);
    expect(await rowsOf(inputs.slug)).toMatchObject([{ id, status: "provisioning" }]);
  });
});

describe("a refresh that finds the tenant's data gone", () => {
  it("has the next check fail, unless recreate says that it may be made anew", async () => {
    const inputs = declared();
    const { id, outs } = await tenantRecord.create(inputs);
    const bystander = await tenantRecord.create(declared());
    await database.sql("insert into tenant_migration_digests values ($1, '1_a.sql', $2)", [
      ...[`tenant_${id}`, "0".repeat(64)],
    ]);
    const found = await tenantRecord.read(id, outs);
    const state = "inputs" in found ? found.inputs : {};
    const faultsOf = (news: object) =>
      tenantRecord.check(state, { ...inputs, ...news }).inputs.faults;
    expect(faultsOf({})).toEqual([
      expect.stringMatching(
        `DATA_GONE: of tenant ${inputs.slug} is gone: schema tenant_${id}, with what 1 migrations`,
      ),
    ]);
    expect(faultsOf({ recreate: false })).toHaveLength(1);
    expect(faultsOf({ recreate: true })).toBeUndefined();
    expect(tenantRecord.diff(id, found.props as Inputs, inputs).changes).toBe(true);
    expect(await tenantRecord.read(bystander.id, bystander.outs)).not.toHaveProperty("inputs");
  });
});

describe("diff and update", () => {
  it("changes name and slug in place", async () => {
    const inputs = declared();
    const { id, outs } = await tenantRecord.create(inputs);
    const news = { ...inputs, name: "New", slug: `${inputs.slug}-new` };
    expect(tenantRecord.diff(id, outs, news)).toMatchObject({ changes: true, replaces: [] });
    await tenantRecord.update(id, outs, news);
    expect(await rowsOf(news.slug)).toMatchObject([{ id, name: "New" }]);
    expect(await rowsOf(inputs.slug)).toEqual([]);
  });

  it("refuses to take over a slug by a change", async () => {
    const [mine, theirs] = [declared(), declared()];
    const { id, outs } = await tenantRecord.create(mine);
    await tenantRecord.create(theirs);
    await expect(tenantRecord.update(id, outs, { ...mine, slug: theirs.slug })).rejects.toThrow(
      `slug ${theirs.slug} is taken`,
    );
  });

  it("advises an alias, and how to forget the refused one, to a new tenant of the same stack alone", async () => {
    const [holder, asker] = ["holder", "asker"].map((name) => `organization/shop/dev::${name}`);
    const elsewhere = "organization/shop/prod::asker";
    const theirs = { ...declared(), owner: holder ?? "" };
    await tenantRecord.create(theirs);
    const advice =
      'give it the option aliases: ["urn:pulumi:dev::shop::pulumi-tenant:index:Tenant::holder"]; with ' +
      "protect: true, run first: pulumi state delete --force --yes " +
      "'urn:pulumi:dev::shop::pulumi-tenant:index:Tenant::asker'";
    const creating = (owner = "") => tenantRecord.create({ ...theirs, owner });
    await expect(creating(asker)).rejects.toThrow(advice);
    await expect(creating(elsewhere)).rejects.toThrow(/leave it out there first$/);
    const { id, outs } = await tenantRecord.create({ ...declared(), owner: asker ?? "" });
    const changing = tenantRecord.update(id, outs, { ...theirs, owner: asker ?? "" });
    await expect(changing).rejects.toThrow(/leave it out there first$/);
  });

  it("sees no change when the program starts to name the id that is there", async () => {
    const inputs = declared();
    const { id, outs } = await tenantRecord.create(inputs);
    expect(tenantRecord.diff(id, outs, { ...inputs, tenantId: id }).changes).toBe(false);
  });

  it("replaces for another id, once forceDestroy says that the old data may go", async () => {
    const inputs = declared();
    const { id, outs } = await tenantRecord.create(inputs);
    const news = { ...inputs, tenantId: randomUUID() };
    expect(() => tenantRecord.diff(id, outs, news)).toThrow("apply forceDestroy: true first");
    const mayGo = { ...outs, forceDestroy: true };
    expect(() => tenantRecord.diff(id, mayGo, news)).toThrow("apply forceDestroy: true first");
    expect(tenantRecord.diff(id, mayGo, { ...news, forceDestroy: true })).toMatchObject({
      replaces: ["tenantId"],
      deleteBeforeReplace: true,
    });
  });
});

describe("another database", () => {
  it("is refused as long as the tenant's data is not there", async () => {
    const inputs = declared();
    const { id, outs } = await tenantRecord.create(inputs);
    const elsewhere = { ...outs, urlEnv: "SOME_OTHER_URL" };
    await database.sql("update tenants set id = gen_random_uuid() where id = $1", [id]);
    await expect(tenantRecord.update(id, elsewhere, inputs)).rejects.toThrow(
      "move its data there first",
    );
  });
});

describe("delete", () => {
  it("keeps the row, marked deleted, and says where the data is", async () => {
    const inputs = declared();
    const { id, outs } = await tenantRecord.create(inputs);
    const said = jest.spyOn(console, "log").mockImplementation(() => undefined);
    await tenantRecord.delete(id, outs);
    expect(said.mock.calls.join()).toContain(`kept in schema tenant_${id}`);
    said.mockRestore();
    expect(await rowsOf(inputs.slug)).toMatchObject([{ id, status: "deleted" }]);
  });

  it("is taken back when the same owner declares the tenant again", async () => {
    const inputs = declared();
    const { id, outs } = await tenantRecord.create({ ...inputs, forceDestroy: false });
    const said = jest.spyOn(console, "log").mockImplementation(() => undefined);
    await tenantRecord.delete(id, outs);
    said.mockRestore();
    expect((await tenantRecord.create(inputs)).id).toBe(id);
    expect(await rowsOf(inputs.slug)).toMatchObject([{ status: "provisioning" }]);
  });

  it("with forceDestroy removes all its members, and of them the users nobody else needs", async () => {
    const [mine, other] = [declared({ forceDestroy: true }), declared()];
    const [{ id, outs }, { id: otherId }] = [
      await tenantRecord.create(mine),
      await tenantRecord.create(other),
    ];
    const user = async (email: string, madeFor: string | null, ...memberOf: string[]) => {
      const [made] = await database.sql<{ id: string }>(
        `insert into users (email, password_hash, first_name, last_name, made_for_tenant_id)
        values ($1, '$argon2id$v=19$', 'A', 'B', $2) returning id`,
        [email, madeFor],
      );
      for (const tenantId of memberOf) {
        await database.sql("insert into tenant_users values ($1, $2, 'MEMBER')", [
          tenantId,
          made?.id,
        ]);
      }
    };
    await user("only@here.example", id, id);
    await user("both@here.example", id, id, otherId);
    await user("operator@product.example", null, id);
    await tenantRecord.delete(id, outs);
    expect(await rowsOf(mine.slug)).toEqual([]);
    expect(await database.sql("select email from users order by email")).toEqual([
      { email: "both@here.example" },
      { email: "operator@product.example" },
    ]);
  });

  it("with forceDestroy removes the row, and is content when it is gone", async () => {
    const inputs = declared({ forceDestroy: true });
    const { id, outs } = await tenantRecord.create(inputs);
    await tenantRecord.delete(id, outs);
    await tenantRecord.delete(id, outs);
    expect(await rowsOf(inputs.slug)).toEqual([]);
  });
});

describe("the slug of a deleted tenant", () => {
  /** Makes a tenant and deletes it, as a program does that leaves it out. */
  async function deleted(overrides: Partial<Inputs> = {}): Promise<{ id: string; inputs: Inputs }> {
    const inputs = declared(overrides);
    const { id, outs } = await tenantRecord.create(inputs);
    const said = jest.spyOn(console, "log").mockImplementation(() => undefined);
    await tenantRecord.delete(id, outs);
    said.mockRestore();
    return { id, inputs };
  }

  it("is free for another owner", async () => {
    const { id, inputs } = await deleted();
    const other = { ...inputs, owner: "o/p/other::x" };
    expect((await tenantRecord.create(other)).id).not.toBe(id);
    expect((await rowsOf(inputs.slug)).map(({ status }) => status).toSorted()).toEqual([
      ...["deleted", "provisioning"],
    ]);
  });

  it("that has another holder is refused to its tenant, with the holder, and what to do", async () => {
    const { id, inputs } = await deleted();
    await tenantRecord.create({ ...inputs, owner: "o/p/other::x" });
    const before = await rowsOf(inputs.slug);
    await expect(tenantRecord.create(inputs)).rejects.toThrow(
      new RegExp(
        `^slug ${inputs.slug} is taken, by tenant ${inputs.slug} \\(id .*\\) of o/p/other::x: .* is ` +
          `restored under another slug with id: ${id}$`,
      ),
    );
    expect(await rowsOf(inputs.slug)).toEqual(before);
    const restored = { ...inputs, tenantId: id, slug: `${inputs.slug}-two` };
    expect((await tenantRecord.create(restored)).id).toBe(id);
    expect(await rowsOf(restored.slug)).toMatchObject([{ id, status: "provisioning" }]);
  });

  it("finds of several deleted ones that which was deleted last", async () => {
    const first = await deleted();
    const second = await deleted({ ...first.inputs, tenantId: randomUUID() });
    await database.sql("update tenants set deleted_at = now() - interval '1 day' where id = $1", [
      first.id,
    ]);
    expect((await tenantRecord.create(first.inputs)).id).toBe(second.id);
  });

  it("is free while the tenant is declared as deleted, and its again once that is taken out", async () => {
    const inputs = declared();
    const { id, outs } = await tenantRecord.create(inputs);
    const kept = await tenantRecord.update(id, outs, { ...inputs, status: "deleted" });
    expect(await rowsOf(inputs.slug)).toMatchObject([{ id, status: "deleted" }]);
    expect(await tenantRecord.read(id, kept.outs as Inputs)).toEqual({ id, props: kept.outs });
    const holder = await tenantRecord.create({ ...inputs, owner: "o/p/other::x" });
    await expect(tenantRecord.update(id, kept.outs as Inputs, inputs)).rejects.toThrow(
      `slug ${inputs.slug} is taken, by tenant ${inputs.slug} (id ${holder.id}) of o/p/other::x`,
    );
    await database.sql("delete from tenants where id = $1", [holder.id]);
    const restored = await tenantRecord.update(id, kept.outs as Inputs, inputs);
    expect(await rowsOf(inputs.slug)).toMatchObject([{ id, status: "provisioning" }]);
    expect(tenantRecord.diff(id, restored.outs as Inputs, inputs).changes).toBe(false);
  });
});

describe("a tenant that is to be out of service", () => {
  const published = async (inputs: Inputs) => {
    const made = await tenantRecord.create(inputs);
    const [user] = await database.sql<{ id: string }>(
      `insert into users (email, password_hash, first_name, last_name)
      values (gen_random_uuid() || '@acme.example', '$argon2id$v=19$', 'A', 'B') returning id`,
    );
    await database.sql("update tenants set status = 'active', admin_user_id = $2 where id = $1", [
      made.id,
      user?.id,
    ]);
    return made;
  };

  it("is suspended at once, and no other change of its row publishes it", async () => {
    const inputs = declared();
    const { id, outs } = await published(inputs);
    const suspended: Inputs = { ...inputs, status: "suspended" };
    expect(tenantRecord.diff(id, outs, suspended).changes).toBe(true);
    await tenantRecord.update(id, outs, suspended);
    expect(await rowsOf(inputs.slug)).toMatchObject([{ status: "suspended" }]);
    await tenantRecord.update(id, suspended, { ...suspended, name: "New" });
    await tenantRecord.update(id, suspended, inputs);
    expect(await rowsOf(inputs.slug)).toMatchObject([{ status: "suspended", name: "Acme" }]);
  });

  it("is not suspended before it was ever published", async () => {
    const inputs = declared({ status: "suspended" });
    await tenantRecord.create(inputs);
    expect(await rowsOf(inputs.slug)).toMatchObject([{ status: "provisioning" }]);
  });

  it("is not changed by a run of an older generation", async () => {
    const inputs = declared({ generation: 1 });
    const { id, outs } = await tenantRecord.create(inputs);
    await database.sql("update tenants set generation = 2 where id = $1", [id]);
    const late: Inputs = { ...inputs, name: "Late" };
    await expect(tenantRecord.update(id, outs, late)).rejects.toThrow(/^OVERTAKEN: /);
    await expect(tenantRecord.create({ ...late, tenantId: id })).rejects.toThrow(/^OVERTAKEN: /);
    expect(await rowsOf(inputs.slug)).toMatchObject([{ name: "Acme" }]);
  });
});
