import * as postgresql from "@pulumi/postgresql";
import * as pulumi from "@pulumi/pulumi";
import { TenantDatabase } from "./tenant-database";
import { noteDeclared } from "./left-out";
import { AdminUser } from "./resources/admin";
import { AdminMembership } from "./resources/membership";
import { TenantMigrations } from "./resources/migrations";
import { TenantRecord } from "./resources/record";

/** The arguments of {@link Tenant}. What each must look like is in docs/stacks.md, under "Inputs". */
export interface TenantArgs {
  /** What people call it, 1 to 200 characters. Can change. */
  name: pulumi.Input<string>;
  /** Its part of an address, 3 to 63 of a-z, 0-9 and inner single hyphens; unique. Can change. */
  slug: pulumi.Input<string>;
  /** The admin's e-mail. A user who has it is linked, anybody else is made. Cannot change. */
  adminEmail: pulumi.Input<string>;
  /** The admin's first password, or its argon2id PHC string. */
  adminPassword: pulumi.Input<string>;
  /** The admin's first name, when they are made. */
  adminFirstName: pulumi.Input<string>;
  /** The admin's last name, when they are made. */
  adminLastName: pulumi.Input<string>;
  /** The folder with the tenant migrations; relative to Pulumi.yaml. Default: the package's own. */
  migrationsDir?: pulumi.Input<string>;
  /**
   * Whether destroying the tenant removes its schema and data. Default: `false`: they stay, and the
   * row is marked `deleted`. Pulumi's option `retainOnDelete` goes before it: nothing is touched then.
   */
  forceDestroy?: boolean;
  /**
   * Whether a schema that is gone, dropped behind the engine's back, is made anew, EMPTY. Default: `false`:
   * that its data is gone is an error. Take it out again once it is done.
   */
  recreate?: boolean;
  /** The tenant's UUID. Default: PostgreSQL makes one. Another id replaces the tenant. */
  id?: pulumi.Input<string>;
  /** Default: the database of DATABASE_URL, one for the whole stack. */
  database?: TenantDatabase;
}

/**
 * A tenant: its row, its admin, its schema, its tables, and the admin's membership, in this order.
 *
 * @example
 * const acme = new Tenant("acme", {
 *   name: "Acme Corp",
 *   slug: "acme",
 *   adminEmail: "ana@acme.example",
 *   adminPassword: config.requireSecret("acmeAdminPassword"),
 *   adminFirstName: "Ana",
 *   adminLastName: "Diaz",
 * });
 * export const schema = acme.schemaName;
 */
export class Tenant extends pulumi.ComponentResource {
  /** The tenant's UUID. */
  readonly tenantId: pulumi.Output<string>;
  readonly slug: pulumi.Output<string>;
  /** `tenant_{tenantId}`. */
  readonly schemaName: pulumi.Output<string>;
  readonly adminUserId: pulumi.Output<string>;
  /** `active`, once all five steps are done. */
  readonly status: pulumi.Output<string>;
  /** The newest applied tenant migration's version, such as `20260101000006`. */
  readonly migrationVersion: pulumi.Output<string>;

  constructor(name: string, args: TenantArgs, opts: pulumi.ComponentResourceOptions = {}) {
    // The arguments stay out of the component's own inputs: one of them is a password.
    super("pulumi-tenant:index:Tenant", name, {}, opts);
    const forceDestroy = (args.forceDestroy ?? false) && opts.retainOnDelete !== true;
    const database = args.database ?? defaultDatabase();
    const owner = ownerOf(this.urn);
    const common = { urlEnv: database.urlEnv, database: database.identity, forceDestroy };
    const recreate = args.recreate === true ? { recreate: true } : {};
    const provider = database.dynamicProvider;
    const after = (step: pulumi.Resource) => ({
      ...{ parent: this, dependsOn: [step], provider },
      // Made first, a replacement adopts what is there, and the end of the old one takes it away.
      deleteBeforeReplace: true,
    });

    const record = new TenantRecord(
      name,
      { ...common, ...recreate, tenantId: args.id, name: args.name, slug: args.slug, owner },
      after(database),
    );
    const tenantId = record.id;
    noteDeclared(tenantId);

    const admin = new AdminUser(
      name,
      {
        ...common,
        tenantId,
        email: args.adminEmail,
        password: args.adminPassword,
        firstName: args.adminFirstName,
        lastName: args.adminLastName,
        account: owner,
      },
      after(record),
    );

    const schema = new postgresql.Schema(
      name,
      { name: pulumi.interpolate`tenant_${tenantId}` },
      {
        ...after(admin),
        provider: database.provider,
        // Without a word of its own it does as the other steps, which take the option of their parents.
        ...(forceDestroy ? {} : { retainOnDelete: true }),
        // A schema that is renamed would carry the old tenant's data over to the new one.
        replaceOnChanges: ["name"],
      },
    );

    const migrations = new TenantMigrations(
      name,
      { ...common, ...recreate, schemaName: schema.name, migrationsDir: args.migrationsDir },
      after(schema),
    );

    const membership = new AdminMembership(
      name,
      {
        ...common,
        tenantId,
        userId: admin.id,
        mark: pulumi.interpolate`${record.mark} ${migrations.mark}`,
      },
      after(migrations),
    );

    this.tenantId = tenantId;
    this.slug = record.slug;
    this.schemaName = schema.name;
    this.adminUserId = admin.id;
    this.status = membership.status;
    this.migrationVersion = migrations.version;
    this.registerOutputs({
      tenantId: this.tenantId,
      slug: this.slug,
      schemaName: this.schemaName,
      adminUserId: this.adminUserId,
      status: this.status,
      migrationVersion: this.migrationVersion,
    });
  }
}

/**
 * Who declares the tenant: `organization/project/stack::name`, with the types of its parents before the
 * name where it has any. A tenant that moves without an alias is thus another owner's, and refused:
 * adopted, it would end with the old one.
 */
function ownerOf(urn: pulumi.Output<string>): Promise<string> {
  const stack = [pulumi.getOrganization(), pulumi.getProject(), pulumi.getStack()].join("/");
  // As a promise it carries no dependency on the tenant, which is done when its steps are.
  return new Promise((resolve) => {
    urn.apply((text) => {
      const [types = "", ...name] = text.split("::").slice(2);
      const parents = types.split("$").slice(0, -1);
      resolve([stack, ...(parents.length > 0 ? [parents.join("$")] : []), ...name].join("::"));
    });
  });
}

// Programs of several stacks may run in one process (Automation API): each has its own database.
const defaultDatabases = new WeakMap<pulumi.Resource, TenantDatabase>();

function defaultDatabase(): TenantDatabase {
  const stack = pulumi.runtime.getStackResource();
  const known = stack && defaultDatabases.get(stack);
  if (known) return known;
  const database = new TenantDatabase("tenant-database");
  if (stack) defaultDatabases.set(stack, database);
  return database;
}
