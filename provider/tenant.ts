import * as postgresql from "@pulumi/postgresql";
import * as pulumi from "@pulumi/pulumi";
import { ConfigurationError } from "./contract/errors";
import { faultsOf, reportFaultsOfSteps } from "./declared-tenants";
import type { DeclaredStatus } from "./database/tenant-status";
import type { TenantDatabase } from "./tenant-database";
import { childAliases } from "./child-aliases";
import { tenantType } from "./contract/tenant-urn";
import { noteDeclared } from "./left-out";
import { assertOptions, optionsOf } from "./options";
import { ownerOf } from "./owner";
import { refuseTaken } from "./taken-slugs";
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
  /**
   * The admin's first password, 8 to 128 characters, or its argon2id PHC string. A linked user keeps theirs.
   * Default: an admin who is made has none, and cannot log in until one is set, as by an invitation.
   */
  adminPassword?: pulumi.Input<string>;
  /** The first name of an admin who is made: 1 to 100 characters. */
  adminFirstName: pulumi.Input<string>;
  /** The last name of an admin who is made: 1 to 100 characters. */
  adminLastName: pulumi.Input<string>;
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
  /**
   * Whether a tenant that has no owner is taken over, found by `id` or, without one, by `slug`: what is there of
   * it is kept, what is missing is made. Default: `false`: its slug and its id are taken. Once it is this
   * stack's, it changes nothing.
   */
  adopt?: boolean;
  /**
   * Whether the end of the tenant in this stack lets it go: of all that there is in the database nothing changes
   * but its owner, and another stack, or the service, may adopt it. To be applied before the tenant is left out.
   * Goes before `forceDestroy`. Default: `false`.
   */
  release?: boolean;
  /**
   * Whether the tenant is out of service: it keeps all that it has, and nobody can use it. Default: `false`.
   * Changed in place, in both directions.
   */
  suspended?: pulumi.Input<boolean>;
  /**
   * Whether the tenant is deleted and kept: out of service, its slug free for others, its data where it was.
   * Taken out again, the tenant is restored, under the `slug` that is declared then. Default: `false`.
   */
  deleted?: pulumi.Input<boolean>;
  /**
   * Which declaration of the tenant this is, where whoever declares it counts them, from 1. A run of an older
   * one than the tenant was brought to changes nothing, and fails with `OVERTAKEN`.
   */
  generation?: pulumi.Input<number>;
  /** The tenant's UUID. Default: PostgreSQL makes one. Another id is another tenant: it replaces this one. */
  id?: pulumi.Input<string>;
  /**
   * An archive of a tenant, as `GET /api/tenant/{id}/export` writes it, whose rows the new tenant gets before it is
   * published; a relative path starts at the folder of Pulumi.yaml. A tenant that is there is not changed by it, so
   * take it out again. Not with `isolateMigrations`.
   */
  importFrom?: string;
  /** Where the tenant is, and which migrations it gets. */
  database: TenantDatabase;
}

/**
 * A tenant: its row, its admin, its schema, its tables, and the admin's membership, in this order.
 *
 * @example
 * const database = new TenantDatabase("database", { migrationsDir: "migrations" });
 * const acme = new Tenant("acme", {
 *   name: "Acme Corp",
 *   slug: "acme",
 *   adminEmail: "ana@acme.example",
 *   adminPassword: config.requireSecret("acmeAdminPassword"),
 *   adminFirstName: "Ana",
 *   adminLastName: "Diaz",
 *   database,
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
  /** `active`, `suspended` or `deleted`, once all five steps are done. */
  readonly status: pulumi.Output<string>;
  /** The newest applied tenant migration's version, such as `20260101000006`. */
  readonly migrationVersion: pulumi.Output<string>;

  /**
   * @param opts What each of Pulumi's options does here is in docs/stacks.md.
   * @throws {@link ConfigurationError} with each option that would have no effect, or when no database is given.
   */
  constructor(name: string, args: TenantArgs, opts: pulumi.ComponentResourceOptions = {}) {
    assertOptions(name, opts);
    // No arguments among the component's own inputs: the state would hold the password in them.
    super(tenantType, name, {}, opts);
    const release = args.release === true ? { release: true } : {};
    const forceDestroy =
      (args.forceDestroy ?? false) && opts.retainOnDelete !== true && args.release !== true;
    const database = databaseOf(name, args);
    const owner = ownerOf(this.urn);
    const declared = { resource: this, name, args, database };
    const faults = faultsOf(declared);
    const common = { urlEnv: database.urlEnv, database: database.identity, forceDestroy };
    const { productRoles } = database;
    const recreate = args.recreate === true ? { recreate: true } : {};
    const adopt = args.adopt === true ? { adopt: true } : {};
    const status = statusOf(args);
    const isolate = database.isolateMigrations ? { isolateMigrations: true } : {};
    const provider = database.dynamicProvider;
    const aliases = childAliases(this);
    const after = (step: pulumi.Resource) => ({
      ...{ parent: this, dependsOn: [step], provider, aliases },
      // If the new one were made first, it would adopt the old one's rows, and the engine would then
      // delete them with the old one.
      deleteBeforeReplace: true,
    });

    const record = new TenantRecord(
      name,
      {
        ...{ ...common, ...recreate, ...adopt, ...release },
        ...{ tenantId: args.id, name: args.name, slug: args.slug, owner },
        status: status.apply((wanted) => (wanted === "active" ? undefined : wanted)),
        generation: args.generation,
        productRoles,
        faults,
      },
      { ...after(database), ...optionsOf("record", opts) },
    );
    const tenantId = record.id;
    noteDeclared(tenantId);
    refuseTaken({ ...declared, database, record, owner, faults });

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
      { ...after(record), ...optionsOf("admin", opts) },
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
        ...{ ...common, ...recreate, ...adopt, ...release, ...isolate, productRoles },
        schemaName: schema.name,
        migrationsDir: database.migrationsDir,
        importFrom: args.importFrom,
      },
      after(schema),
    );

    const membership = new AdminMembership(
      name,
      {
        ...{ ...common, ...release, owner },
        tenantId,
        userId: admin.id,
        status,
        generation: args.generation,
        productRoles,
        mark: pulumi.interpolate`${record.mark} ${migrations.mark}`,
      },
      after(migrations),
    );

    void reportFaultsOfSteps(declared, faults, [record, admin, migrations]);

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

function statusOf({ deleted, suspended }: TenantArgs): pulumi.Output<DeclaredStatus> {
  return pulumi
    .all([deleted ?? false, suspended ?? false])
    .apply(([isDeleted, isSuspended]) =>
      isDeleted ? "deleted" : isSuspended ? "suspended" : "active",
    );
}

/** A program in JavaScript may leave out what the type demands. */
function databaseOf(name: string, { database }: Partial<TenantArgs>): TenantDatabase {
  if (database !== undefined) return database;
  throw new ConfigurationError(
    `tenant ${name} has no database: write const database = new TenantDatabase("database", ` +
      `{ migrationsDir: "migrations" }), with the folder of your tenants' migrations, and give the tenant database`,
  );
}
