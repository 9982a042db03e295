import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { Tenant, TenantDatabase, type TenantArgs } from "../../../provider";
import { readMigrations } from "../../../provider/database/migrations";
import * as mocked from "../../../provider/mocked";
import { useResourceDatabase } from "../../support/resources";

const database = useResourceDatabase();
const { urlEnv } = database;
const folder = mkdtempSync(path.join(tmpdir(), "preview-"));
afterAll(() => rmSync(folder, { recursive: true }));
const files = ["1_a.sql", "2_b.sql"];
for (const file of files) {
  writeFileSync(path.join(folder, file), "-- migrate:up\nselect;\n-- migrate:down\n");
}

/** A tenant as the stack's state has it. */
interface InState {
  readonly name: string;
  readonly id: string;
  readonly forceDestroy: boolean;
  readonly release?: boolean;
  readonly owner?: string;
}

/**
 * Runs a program as a preview does, with the SDK's mocks in the place of the engine.
 *
 * @param state What the stack has by now. Only these tenants' ids are known.
 * @returns what was said, in alphabetical order.
 */
async function preview(
  tenants: readonly (Pick<TenantArgs, "slug"> & Partial<TenantArgs>)[],
  state: readonly InState[] = [],
): Promise<string[]> {
  const said: string[] = [];
  for (const level of ["info", "warn", "error"] as const) {
    jest.spyOn(pulumi.log, level).mockImplementation((...[message]: unknown[]) => {
      said.push(`${level}: ${String(message)}`);
      return Promise.resolve();
    });
  }
  // A program that knows of its mocks asks no database.
  jest.spyOn(mocked, "isMocked").mockReturnValue(false);
  const mocks: pulumi.runtime.Mocks = {
    newResource({ type, name, inputs }) {
      const known = state.find((tenant) => tenant.name === name)?.id ?? "";
      return { id: type.endsWith(":Record") ? known : `id-of-${name}`, state: inputs as object };
    },
    call: () => ({ outputs: Object.fromEntries(state.flatMap(stepsOf)) }),
  };
  await pulumi.runtime.setMocks(mocks, "shop", "dev", true, "organization");
  await pulumi.runtime.runInPulumiStack(() => {
    const home = new TenantDatabase("database", { urlEnv, migrationsDir: folder });
    for (const args of tenants) new Tenant(nameOf(args), { ...acme, ...args, database: home });
    return Promise.resolve();
  });
  await pulumi.runtime.disconnect();
  jest.restoreAllMocks();
  return said.sort();
}

const acme = {
  ...{ name: "Acme Corp", adminEmail: "ana@acme.example", adminFirstName: "Ana" },
  ...{ adminLastName: "Diaz", adminPassword: "correct horse battery" },
};

const nameOf = ({ slug }: Pick<TenantArgs, "slug">) => slug as string;

function stepsOf({ name, id, owner, ...rest }: InState): [string, object][] {
  const type = (step: string) => `pulumi-nodejs:dynamic/tenant:${step}`;
  const urn = (step: string) => `urn:pulumi:dev::shop::pulumi-tenant:index:Tenant$${type(step)}`;
  const schema = { urlEnv, schemaName: `tenant_${id}`, ...rest };
  return [
    [`${urn("Migrations")}::${name}`, { type: type("Migrations"), outputs: schema }],
    [`${urn("Membership")}::${name}`, { type: type("Membership"), outputs: { owner } }],
  ];
}

const ownerOf = (name: string) => `organization/shop/dev::${name}`;

/** A tenant's row, which an admin's is with. */
async function row(slug: string, owner: string | null, email = "ana@acme.example") {
  const id = randomUUID();
  await database.sql(
    `with admin as (
      insert into public.users as u (email, first_name, last_name) values ($4, 'A', 'D')
      on conflict (lower(email)) do update set first_name = u.first_name returning id)
    insert into public.tenants (id, name, slug, owner, status, admin_user_id)
    select $1, 'Acme', $2, $3, 'active', admin.id from admin`,
    [id, slug, owner, email],
  );
  return id;
}

/** The schema, with a table, and these files on record. */
async function schema(id: string, onRecord: readonly string[]): Promise<void> {
  await database.sql(`create schema "tenant_${id}"`);
  await database.sql(`create table "tenant_${id}".schema_migrations (version text)`);
  const digests = readMigrations(folder);
  for (const file of onRecord) {
    await database.sql("insert into public.tenant_migration_digests values ($1, $2, $3)", [
      ...[`tenant_${id}`, file, digests[file]],
    ]);
  }
}

describe("a preview of tenants that the program declares no more", () => {
  it("says of each what its end does, and nothing of one that is declared", async () => {
    const names = ["kept", "dropped", "let-go", "theirs", "declared"];
    const ids: Record<string, string> = {};
    for (const name of names) {
      const id = await row(name, name === "theirs" ? "o/p/other::x" : ownerOf(name));
      await schema(id, []);
      ids[name] = id;
    }
    const state = names.map((name) => ({
      ...{ name, id: ids[name] ?? "", owner: ownerOf(name), forceDestroy: name !== "kept" },
      ...(name === "let-go" && { release: true }),
    }));
    const end = (name: string) => `warn: tenant ${name} is declared no more: its end`;
    const tenant = (name: string) => `schema tenant_${ids[name]}`;
    expect(await preview([{ slug: "declared" }], state)).toEqual([
      `${end("dropped")} DROPS ${tenant("dropped")} with 1 tables`,
      `${end("kept")} keeps ${tenant("kept")} and its data`,
      `${end("let-go")} releases it: it stays as it is, in ${tenant("let-go")}, and adopt: true takes it over`,
      expect.stringContaining(`${end("theirs")} will be refused: `),
    ]);
  });
});

describe("a preview of a tenant that is to be taken over", () => {
  const adopt = true;

  it("says what of it is there, and what is missing and made", async () => {
    const id = await row("half", null, "old@half.example");
    await schema(id, ["1_a.sql"]);
    const whole = await row("whole", null);
    await schema(whole, files);
    // A member who is no admin is not what the declaration asks for.
    for (const [tenant, role] of [
      [id, "MEMBER"],
      [whole, "ADMIN"],
    ]) {
      await database.sql(
        `insert into public.tenant_users (tenant_id, user_id, role)
        select $1, id, $2 from public.users where email = 'ana@acme.example'`,
        [tenant, role],
      );
    }
    const unknown = await row("unknown", null, "ANA@acme.example");
    await schema(unknown, []);
    const declared = ["half", "whole", "unknown", "nowhere"].map((slug) => ({ slug, adopt }));
    expect(await preview(declared)).toEqual([
      `info: adopts no tenant: none has the slug, so nowhere is made`,
      `info: adopts tenant half (${id}): there and kept: row, admin, schema, migrations (1); ` +
        `missing and made: migrations (2_b.sql), membership. its admin until now, old@half.example, stays a member with the role they have`,
      `info: adopts tenant unknown (${unknown}): there and kept: row, admin, schema; missing and made: ` +
        `membership. its migrations have no digests: they are kept if the schema is what the files make`,
      `info: adopts tenant whole (${whole}): there and kept: row, admin, schema, migrations (2), membership; ` +
        `missing and made: nothing`,
    ]);
  });

  it("warns where its migrations are not those of the folder", async () => {
    const id = await row("edited", null);
    await schema(id, files);
    await database.sql(
      "update public.tenant_migration_digests set digest = repeat('0', 64) where schema_name = $1 and file = $2",
      [`tenant_${id}`, "1_a.sql"],
    );
    expect(await preview([{ slug: "edited", adopt }])).toContainEqual(
      expect.stringMatching(
        /^warn: pulumi up will refuse edited: 1_a\.sql was edited after it was applied/,
      ),
    );
  });
});
