import type * as pulumi from "@pulumi/pulumi";
import { Tenant, TenantDatabase, type TenantDatabaseArgs } from "../provider";

/** One tenant as configuration, or a request, declares it: values that are known and validated. */
export interface TenantDeclaration {
  /** What its resources and outputs are called; the slug, unless the slug changed since. */
  readonly key?: string | undefined;
  readonly name: string;
  readonly slug: string;
  readonly adminEmail: string;
  /** The password, or its argon2id PHC string. */
  readonly adminPassword: string;
  readonly adminFirstName: string;
  readonly adminLastName: string;
  readonly migrationsDir?: string | undefined;
  readonly forceDestroy?: boolean | undefined;
  readonly recreate?: boolean | undefined;
  readonly id?: string | undefined;
}

/** What a stack holds: a database and its tenants. */
export interface StackDeclaration {
  readonly database: TenantDatabaseArgs;
  readonly tenants: readonly TenantDeclaration[];
}

/** What a stack tells of one tenant. */
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
 * @returns the stack's outputs: key → what it tells of that tenant.
 */
export function declareStack(stack: StackDeclaration): { tenants: Record<string, TenantOutputs> } {
  return declareTenants(declareDatabase(stack.database), stack.tenants);
}

/** The first half of {@link declareStack}, which needs no tenant. */
export function declareDatabase(database: TenantDatabaseArgs): TenantDatabase {
  return new TenantDatabase("database", database);
}

/**
 * The second half of {@link declareStack}.
 *
 * @param options `protect`: a run that leaves a tenant out fails, before anything is deleted, where the
 *   run before declared it so.
 */
export function declareTenants(
  database: TenantDatabase,
  declared: readonly TenantDeclaration[],
  { protect = false }: { readonly protect?: boolean } = {},
): { tenants: Record<string, TenantOutputs> } {
  const tenants: Record<string, TenantOutputs> = {};
  for (const { migrationsDir, id, key, ...tenant } of declared) {
    const name = key ?? tenant.slug;
    const args = {
      ...tenant,
      database,
      forceDestroy: tenant.forceDestroy ?? false,
      recreate: tenant.recreate ?? false,
      ...(migrationsDir === undefined ? {} : { migrationsDir }),
      ...(id === undefined ? {} : { id }),
    };
    const { tenantId, schemaName, adminUserId, status, migrationVersion } = new Tenant(name, args, {
      protect,
    });
    tenants[name] = { id: tenantId, schemaName, adminUserId, status, migrationVersion };
  }
  return { tenants };
}
