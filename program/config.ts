import { z } from "zod";
import { ConfigurationError } from "../provider/contract/errors";
import { rules } from "../provider/contract/rules";
import { faultIn, tenantInputs } from "../provider/contract/tenant-inputs";
import type { StackDeclaration, TenantDeclaration } from "./stack";

const databaseConfig = z.strictObject({
  migrationsDir: z
    .string(
      "is missing: pulumi config set --path database.migrationsDir FOLDER, with the folder of the tenants' " +
        "migrations, relative to Pulumi.yaml",
    )
    .min(1, "must not be empty"),
  urlEnv: rules.environmentVariable.optional(),
  publicMigrations: z.boolean().optional(),
  passwordFromEnvironment: z.boolean().optional(),
  productRoles: z.array(rules.roleName).optional(),
  isolateMigrations: z.boolean().optional(),
});

/** What the stack's configuration declares. */
export interface StackConfig extends StackDeclaration {
  /** What is wrong with entries that cannot be declared, as they have no name of their own. */
  readonly faults: readonly string[];
}

/**
 * Reads the stack's configuration. The values of a tenant are validated by the tenant itself, as they are in
 * any program; here it is found out how it is called, and whether it has fields that no tenant has.
 *
 * @param tenants The value of `tenants`: a list, or undefined for none.
 * @param database The value of `database`: see `TenantDatabaseArgs`.
 * @throws {@link ConfigurationError} when there is no list, or the database is not valid.
 */
export function readStackConfig(tenants: unknown, database: unknown): StackConfig {
  const list = z.array(z.unknown()).safeParse(tenants ?? []);
  const connection = databaseConfig.safeParse(database ?? {});
  if (!list.success || !connection.success) {
    const faults = connection.error?.issues.map((issue) => `database: ${describe(issue)}`) ?? [];
    throw notValid(list.success ? faults : ["tenants: must be a list", ...faults]);
  }
  const faults: string[] = [];
  const declared = new Map<string, TenantDeclaration>();
  for (const [index, entry] of list.data.entries()) {
    const named = nameOf(entry);
    if ("fault" in named) faults.push(`tenants[${index}]: ${named.fault}`);
    else if (declared.has(named.name))
      faults.push(`tenants[${index}]: ${named.field}: ${named.name} is another tenant's already`);
    else declared.set(named.name, declarationOf(entry as object));
  }
  return {
    tenants: [...declared.values()],
    database: connection.data as StackDeclaration["database"],
    faults,
  };
}

/** The error that tells all faults of a stack's configuration. */
export function notValid(faults: readonly string[]): ConfigurationError {
  return new ConfigurationError(
    `the stack's configuration is not valid:\n  ${faults.join("\n  ")}`,
  );
}

/** How the resources of an entry are called: by its key, which is the slug where it has none. */
function nameOf(entry: unknown): Name | { fault: string } {
  const parsed = z.record(z.string(), z.unknown()).safeParse(entry);
  if (!parsed.success) return { fault: parsed.error.issues.map(describe).join("; ") };
  const { key, slug } = parsed.data;
  if (key !== undefined) return readName("key", rules.slug, key);
  // A slug that is not valid is still a name, by which the tenant itself reports it.
  return readName("slug", z.string().min(1, "must not be empty"), slug);
}

interface Name {
  readonly name: string;
  readonly field: "key" | "slug";
}

function readName(field: "key" | "slug", rule: z.ZodType<string>, value: unknown) {
  const parsed = rule.safeParse(value);
  return parsed.success
    ? { name: parsed.data, field }
    : { fault: faultIn(field, rule, value) ?? `${field}: is not valid` };
}

function declarationOf(entry: object): TenantDeclaration {
  const known = ["key", ...Object.keys(tenantInputs)];
  const unknown = Object.keys(entry).filter((field) => !known.includes(field));
  const faults = unknown.map((field) => `${field}: is not a known field`);
  // The tenant validates each value: the types are its own from then on.
  return { ...(entry as TenantDeclaration), faults };
}

function describe(issue: z.core.$ZodIssue): string {
  const field = issue.path.map((part) => `${String(part)}: `).join("");
  if (issue.code === "unrecognized_keys") return `${issue.keys.join(", ")}: is not a known field`;
  return `${field}${issue.message}`;
}
