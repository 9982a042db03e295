import type * as pulumi from "@pulumi/pulumi";
import { Tenant, TenantDatabase, type TenantDatabaseArgs } from "../provider";
import { withFaults } from "../provider/declared-tenants";

/** One tenant as the configuration or a request declares it: plain values, which the tenant validates. */
export interface TenantDeclaration {
  /** The name of its resources and outputs. Default: the slug; needed once the slug changes. */
  readonly key?: string | undefined;
  readonly name: string;
  readonly slug: string;
  readonly adminEmail: string;
  /** The password, or its argon2id PHC string. Default: the admin has none yet. */
  readonly adminPassword?: string | undefined;
  readonly adminFirstName: string;
  readonly adminLastName: string;
  readonly forceDestroy?: boolean | undefined;
  readonly recreate?: boolean | undefined;
  readonly adopt?: boolean | undefined;
  readonly release?: boolean | undefined;
  readonly id?: string | undefined;
  readonly suspended?: boolean | undefined;
  readonly deleted?: boolean | undefined;
  /** Which declaration of the tenant this is, counted by who declares it: a run of an older one changes nothing. */
  readonly generation?: number | undefined;
  /** What was wrong with its declaration as a whole: see `withFaults`. */
  readonly faults?: readonly string[] | undefined;
}

/** What a stack holds: a database and its tenants. */
export interface StackDeclaration {
  readonly database: TenantDatabaseArgs;
  readonly tenants: readonly TenantDeclaration[];
}

/** The outputs of a stack for one tenant. */
export interface TenantOutputs {
  readonly id: pulumi.Output<string>;
  readonly schemaName: pulumi.Output<string>;
  readonly adminUserId: pulumi.Output<string>;
  readonly status: pulumi.Output<string>;
  readonly migrationVersion: pulumi.Output<string>;
}

/**
 * The program: makes the resources of a stack, each tenant under its key.
 *
 * @returns the stack's outputs, by the key of each tenant.
 */
export function declareStack(stack: StackDeclaration): { tenants: Record<string, TenantOutputs> } {
  return declareTenants(declareDatabase(stack.database), stack.tenants);
}

/** The first half of {@link declareStack}: it can run before it is known which tenants there will be. */
export function declareDatabase(database: TenantDatabaseArgs): TenantDatabase {
  return new TenantDatabase("database", database);
}

/**
 * The second half of {@link declareStack}.
 *
 * @param options `protect`: Pulumi's resource option for each tenant. A later run that leaves out a tenant
 *   which was applied with it fails before it deletes anything.
 */
export function declareTenants(
  database: TenantDatabase,
  declared: readonly TenantDeclaration[],
  { protect = false }: { readonly protect?: boolean } = {},
): { tenants: Record<string, TenantOutputs> } {
  const tenants: Record<string, TenantOutputs> = {};
  for (const { id, key, generation, adminPassword, faults = [], ...tenant } of declared) {
    const name = key ?? tenant.slug;
    const args = {
      ...tenant,
      database,
      forceDestroy: tenant.forceDestroy ?? false,
      recreate: tenant.recreate ?? false,
      adopt: tenant.adopt ?? false,
      release: tenant.release ?? false,
      ...(adminPassword === undefined ? {} : { adminPassword }),
      ...(id === undefined ? {} : { id }),
      suspended: tenant.suspended ?? false,
      deleted: tenant.deleted ?? false,
      ...(generation === undefined ? {} : { generation }),
    };
    const made = new Tenant(name, withFaults(args, faults), { protect });
    const { tenantId, schemaName, adminUserId, status, migrationVersion } = made;
    tenants[name] = { id: tenantId, schemaName, adminUserId, status, migrationVersion };
  }
  return { tenants };
}
