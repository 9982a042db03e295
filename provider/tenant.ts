import * as postgresql from "@pulumi/postgresql";
import * as pulumi from "@pulumi/pulumi";
import { TenantDatabase } from "./tenant-database";
import { noteDeclared } from "./left-out";
import { ownerOf } from "./owner";
import { AdminUser } from "./resources/admin";
import { AdminMembership } from "./resources/membership";
import { TenantMigrations } from "./resources/migrations";
import { TenantRecord } from "./resources/record";

/** The arguments of {@link Tenant}. What each must look like is in docs/stacks.md, and in contract/rules.ts. */
export interface TenantArgs {
  /** What people call it: 1 to 200 characters. Can be changed. */
  name: pulumi.Input<string>;
  /** Its name in addresses: 3 to 63 of a-z, 0-9 and inner single hyphens; unique. Can be changed. */
  slug: pulumi.Input<string>;
  /** The admin's e-mail. The user who has it is linked; where there is none, one is made. Cannot be changed. */
  adminEmail: pulumi.Input<string>;
  /** The admin's first password, 8 to 128 characters, or its argon2id PHC string. A linked user keeps theirs. */
  adminPassword: pulumi.Input<string>;
  /** The first name of an admin who is made: 1 to 100 characters. */
  adminFirstName: pulumi.Input<string>;
  /** The last name of an admin who is made: 1 to 100 characters. */
  adminLastName: pulumi.Input<string>;
  /** The folder with the tenant migrations; relative to Pulumi.yaml. Default: the package's own. */
  migrationsDir?: pulumi.Input<string>;
  /**
   * Whether destroying the tenant removes its schema and data. Default: `false`: they stay, and the
   * row is marked `deleted`. With Pulumi's option `retainOnDelete`, nothing in the database is touched,
   * whatever this says.
   */
  forceDestroy?: boolean;
  /**
   * Whether a schema that somebody dropped is made anew, EMPTY. Default: `false`: the run fails with
   * `DATA_GONE`. Take it out again after the run that made the schema.
   */
  recreate?: boolean;
  /** The tenant's UUID. Default: PostgreSQL makes one. Another id is another tenant: it replaces this one. */
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
    // No arguments among the component's own inputs: the state would hold the password in them.
    super("pulumi-tenant:index:Tenant", name, {}, opts);
    const forceDestroy = (args.forceDestroy ?? false) && opts.retainOnDelete !== true;
    const database = args.database ?? defaultDatabase();
    const owner = ownerOf(this.urn);
    const common = { urlEnv: database.urlEnv, database: database.identity, forceDestroy };
    const recreate = args.recreate === true ? { recreate: true } : {};
    const isolate = database.isolateMigrations ? { isolateMigrations: true } : {};
    const provider = database.dynamicProvider;
    const after = (step: pulumi.Resource) => ({
      ...{ parent: this, dependsOn: [step], provider },
      // If the new one were made first, it would adopt the old one's rows, and the engine would then
      // delete them with the old one.
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
        // With forceDestroy the option is left out, so that it is inherited from the tenant's parents, as
        // the other steps inherit it.
        ...(forceDestroy ? {} : { retainOnDelete: true }),
        // By default the plugin renames the schema, and another tenant would get this one's data.
        replaceOnChanges: ["name"],
      },
    );

    const migrations = new TenantMigrations(
      name,
      {
        ...{ ...common, ...recreate, ...isolate },
        schemaName: schema.name,
        migrationsDir: args.migrationsDir,
      },
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

// By stack, because programs of several stacks may run in one process (Automation API).
const defaultDatabases = new WeakMap<pulumi.Resource, TenantDatabase>();

function defaultDatabase(): TenantDatabase {
  const stack = pulumi.runtime.getStackResource();
  const known = stack && defaultDatabases.get(stack);
  if (known) return known;
  const database = new TenantDatabase("tenant-database");
  if (stack) defaultDatabases.set(stack, database);
  return database;
}
