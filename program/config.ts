import { z } from "zod";
import { ConfigurationError } from "../provider/contract/errors";
import { rules } from "../provider/contract/rules";
import type { StackDeclaration } from "./stack";

/** One entry of the stack's `tenants`. */
const tenantConfig = z.strictObject({
  key: rules.slug.optional(),
  name: rules.name,
  slug: rules.slug,
  adminEmail: rules.email,
  adminPassword: rules.password,
  adminFirstName: rules.personName,
  adminLastName: rules.personName,
  migrationsDir: z.string().min(1).optional(),
  forceDestroy: z.boolean().optional(),
  recreate: z.boolean().optional(),
  id: rules.id.optional(),
});

const databaseConfig = z.strictObject({
  urlEnv: rules.environmentVariable.optional(),
  publicMigrations: z.boolean().optional(),
  passwordFromEnvironment: z.boolean().optional(),
  isolateMigrations: z.boolean().optional(),
});

/**
 * Validates the stack's configuration.
 *
 * @param tenants The value of `tenants`: a list, or undefined for none.
 * @param database The value of `database`: see `TenantDatabaseArgs`; undefined for its defaults.
 * @throws {@link ConfigurationError} with all faults, each with its tenant and field.
 */
export function readStackConfig(tenants: unknown, database: unknown): StackDeclaration {
  const faults: string[] = [];
  const list = z.array(z.unknown()).safeParse(tenants ?? []);
  if (!list.success) faults.push("tenants: must be a list");
  const declared = (list.data ?? []).flatMap((entry, index) => {
    const parsed = tenantConfig.safeParse(entry);
    if (parsed.success) return [parsed.data];
    faults.push(
      ...parsed.error.issues.map((issue) => `${nameOf(entry, index)}: ${describe(issue)}`),
    );
    return [];
  });
  for (const [index, tenant] of declared.entries()) {
    const before = declared.slice(0, index);
    if (before.some(({ slug }) => slug === tenant.slug)) {
      faults.push(`tenant ${tenant.slug}: slug: is in the list twice`);
    } else if (before.some((other) => keyOf(other) === keyOf(tenant))) {
      faults.push(`tenant ${tenant.slug}: key: ${keyOf(tenant)} is another tenant's already`);
    }
  }
  const connection = databaseConfig.safeParse(database ?? {});
  if (!connection.success) {
    faults.push(...connection.error.issues.map((issue) => `database: ${describe(issue)}`));
  }
  if (faults.length > 0 || !connection.success) {
    throw new ConfigurationError(
      `the stack's configuration is not valid:\n  ${faults.join("\n  ")}`,
    );
  }
  return { tenants: declared, database: connection.data as StackDeclaration["database"] };
}

function keyOf({ key, slug }: z.infer<typeof tenantConfig>): string {
  return key ?? slug;
}

/** What a fault calls an entry: by its slug where it has one, and by its place in the list. */
function nameOf(entry: unknown, index: number): string {
  const slug = z.object({ slug: z.string() }).safeParse(entry);
  return slug.success ? `tenant ${slug.data.slug} (tenants[${index}])` : `tenants[${index}]`;
}

function describe(issue: z.core.$ZodIssue): string {
  const field = issue.path.map((part) => `${String(part)}: `).join("");
  if (issue.code === "unrecognized_keys") return `${issue.keys.join(", ")}: is not a known field`;
  return issue.message.endsWith("received undefined")
    ? `${field}is missing`
    : `${field}${issue.message}`;
}
