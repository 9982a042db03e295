import type * as pulumi from "@pulumi/pulumi";
import { ConfigurationError } from "./contract/errors";

type OptionName = keyof pulumi.ComponentResourceOptions | keyof pulumi.CustomResourceOptions;

const noReplacement = "a tenant is replaced by another `id` alone";
const ownProviders =
  "a tenant uses the providers that its TenantDatabase makes: choose the database by `database`, or by the " +
  "TenantDatabase's `urlEnv`";
const ownPlugins =
  "this package names the plugins that it works with: set it in a transform of the step";
const noImport =
  "no resource of a tenant can be read by Pulumi. Declare the tenant: what this stack made, it takes up again";

/**
 * What becomes of each of Pulumi's options: `true` where the engine, or this package, does what it says, and
 * otherwise what to do instead. With an SDK that has another option, this does not compile until it is here.
 */
const options: Record<OptionName, true | string> = {
  parent: true,
  aliases: true,
  dependsOn: true,
  protect: true,
  retainOnDelete: true,
  deletedWith: true,
  transforms: true,
  transformations: true,
  ignoreChanges: true,
  hideDiffs: true,
  hooks: true,
  provider: ownProviders,
  providers: ownProviders,
  replaceOnChanges: noReplacement,
  replaceWith: noReplacement,
  replacementTrigger: noReplacement,
  deleteBeforeReplace: "each step is so already: leave it out",
  additionalSecretOutputs:
    "make the output secret where it is used: pulumi.secret(tenant.schemaName)",
  customTimeouts:
    "a step has no time limit of its own: set lock_timeout or statement_timeout, in a migration or of the role",
  version: ownPlugins,
  pluginDownloadURL: ownPlugins,
  import: noImport,
  id: `${noImport}. Its UUID is the argument \`id\``,
  urn: "read another stack's tenants by a StackReference",
  envVarMappings: "it is an option of providers: set the variables where pulumi runs",
};

type Step = "record" | "admin";

/** The tenant's arguments whose changes can be ignored, each with the inputs that are made from it. */
const fields: Record<string, { readonly step: Step; readonly inputs: readonly string[] }> = {
  name: { step: "record", inputs: ["name"] },
  slug: { step: "record", inputs: ["slug"] },
  id: { step: "record", inputs: ["tenantId"] },
  // The password's salt is made from the e-mail, so another e-mail would show as another password.
  adminEmail: { step: "admin", inputs: ["email", "password"] },
  adminPassword: { step: "admin", inputs: ["password"] },
  adminFirstName: { step: "admin", inputs: ["firstName"] },
  adminLastName: { step: "admin", inputs: ["lastName"] },
};

/** The hooks that a component has. It is never updated, and its own registration does not fail. */
const hookNames = ["beforeCreate", "afterCreate", "beforeDelete", "afterDelete"];

/**
 * Refuses the options that would have no effect on a tenant. The engine passes over them without a word.
 *
 * @throws {@link ConfigurationError} with each such option and what to do instead.
 */
export function assertOptions(name: string, opts: pulumi.ComponentResourceOptions): void {
  const given = Object.entries(opts).filter(([, value]) => value !== undefined);
  const faults = given.flatMap(([option]) => {
    const instead = options[option as OptionName];
    return typeof instead === "string" ? [`${option}: ${instead}`] : [];
  });
  for (const option of ["ignoreChanges", "hideDiffs"] as const) {
    const unknown = opts[option]?.filter((field) => !Object.hasOwn(fields, field)) ?? [];
    faults.push(
      ...unknown.map((field) => `${option}: ${field}: it can be ${Object.keys(fields).join(", ")}`),
    );
  }
  faults.push(
    ...Object.keys(opts.hooks ?? {})
      .filter((hook) => !hookNames.includes(hook))
      .map(
        (hook) => `hooks: ${hook}: never runs for a component: set it in a transform of the step`,
      ),
  );
  if (faults.length === 0) return;
  throw new ConfigurationError(
    `tenant ${name} cannot have these options:\n  ${faults.join("\n  ")}`,
  );
}

/** The options of a step that those of the tenant stand for: its fields' names are the step's inputs there. */
export function optionsOf(
  step: Step,
  { ignoreChanges, hideDiffs }: pulumi.ComponentResourceOptions,
): pulumi.CustomResourceOptions {
  const inputs = (names: readonly string[] = []) =>
    names.flatMap((name) => (fields[name]?.step === step ? fields[name].inputs : []));
  return { ignoreChanges: inputs(ignoreChanges), hideDiffs: inputs(hideDiffs) };
}
