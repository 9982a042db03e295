import { randomUUID } from "node:crypto";
import * as pulumi from "@pulumi/pulumi";
import { z } from "zod";

/** What the engine sends in the place of an input that only `pulumi up` will know. */
const unknown = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";

/** The names under which `pulumi-tenant/resources` exports its life cycles. */
export type LifecycleName = (typeof lifecycleNames)[number];

const lifecycleNames = ["tenantRecord", "adminUser", "migrations", "adminMembership"] as const;

/**
 * The provider of a dynamic resource, as its state holds it: which life cycle, by name.
 *
 * `pulumi.dynamic.Resource` writes the same property by serializing a closure, which loads the
 * TypeScript compiler into every program and gives a text that changes with the SDK and the build.
 * This text never changes, so every later version of the package can serve the states of all earlier ones.
 * The dynamic provider reads it here:
 * https://github.com/pulumi/pulumi/blob/v3.246.0/sdk/nodejs/cmd/dynamic-provider/index.ts#L77
 */
export function providerText(lifecycle: LifecycleName): string {
  return `exports.handler = () => require("pulumi-tenant/resources").${lifecycle};`;
}

/** Every text that {@link providerText} returns. No state of any release holds another. */
export const providerTexts: readonly string[] = lifecycleNames.map(providerText);

/**
 * The engine's provider for dynamic resources, as a resource of its own.
 *
 * Without it dynamic resources belong to the default one, into whose inputs, and so into the state, the engine
 * copies the stack's whole configuration, the admins' passwords included: `--show-secrets` would print
 * them.
 * https://github.com/pulumi/pulumi/blob/v3.246.0/pkg/resource/deploy/target.go#L35
 */
export class DynamicProvider extends pulumi.ProviderResource {
  /** @param url The database's URL, where no environment variable holds it. */
  constructor(name: string, url: pulumi.Output<string> | undefined, opts?: pulumi.ResourceOptions) {
    super("pulumi-nodejs", name, url === undefined ? {} : { [urlKey]: url }, opts);
  }
}

/** With a colon: the SDK looks for a key without one under the name of the stack's project. */
const urlKey = "pulumi-tenant:url";

/** Reads what {@link DynamicProvider} was given; a provider's process calls it before any other function. */
export function urlIn({ config }: pulumi.dynamic.ConfigureRequest): string | undefined {
  return config.get(urlKey);
}

/** A resource whose life cycle is plain functions of this package, run by Pulumi's dynamic provider. */
export abstract class DynamicResource extends pulumi.CustomResource {
  /**
   * @param type What the type is called: `pulumi-nodejs:dynamic/tenant:<type>`.
   * @param props The inputs, and the names of its outputs with the value `undefined`.
   */
  constructor(
    type: string,
    lifecycle: LifecycleName,
    name: string,
    props: pulumi.Inputs,
    opts?: pulumi.CustomResourceOptions,
  ) {
    const inputs = { ...props, __provider: providerText(lifecycle) };
    super(`pulumi-nodejs:dynamic/tenant:${type}`, name, inputs, opts);
  }
}

/** The inputs of a resource as the engine sends them, not validated yet. */
export type RawInputs = Record<string, unknown>;

/**
 * Validates every input whose value is known, and lets those pass that are not known yet.
 *
 * @param shape The rule of each input. An input without a rule is a fault.
 * @param news The inputs as the engine sent them.
 * @returns the normalised inputs, and all faults, each under its property.
 */
export function checkInputs(
  shape: Record<string, z.ZodType>,
  news: RawInputs,
): { inputs: RawInputs; failures: pulumi.dynamic.CheckFailure[] } {
  const inputs: RawInputs = {};
  const failures: pulumi.dynamic.CheckFailure[] = [];
  for (const [property, value] of Object.entries(news)) {
    const rule = shape[property];
    if (property === "__provider" || value === unknown) {
      inputs[property] = value;
    } else if (rule === undefined) {
      failures.push({ property, reason: "is not an input of this resource" });
    }
  }
  for (const [property, rule] of Object.entries(shape)) {
    if (news[property] === unknown) continue;
    const parsed = rule.safeParse(news[property]);
    if (!parsed.success) {
      failures.push(...parsed.error.issues.map(({ message }) => failure(property, message)));
    } else if (parsed.data !== undefined) {
      inputs[property] = parsed.data;
    }
  }
  return { inputs, failures };
}

/**
 * The engine prints the value of the property that a failure names. So a failure of `urlEnv`, where somebody
 * may have put the URL itself, names its property in the words only. (The other failures of a tenant's steps
 * reach no engine: see `failingWhenApplied`.)
 * https://github.com/pulumi/pulumi/blob/v3.246.0/pkg/resource/deploy/step_generator.go
 */
function failure(property: string, reason: string): pulumi.dynamic.CheckFailure {
  return property === "urlEnv"
    ? { property: "", reason: `${property} ${reason}` }
    : { property, reason };
}

/**
 * A random UUID, an output of each create. A later step has it as an input, so that the later step runs
 * again when the earlier one was made anew, such as by `pulumi up --replace`, even where none of its other
 * outputs changed.
 */
export function newMark(): string {
  return randomUUID();
}

/** The rule for a mark as an input: one mark, or several joined by spaces. */
export const mark = z.string().optional();

/** Tells whether the engine sent this in the place of a value that only `pulumi up` will know. */
export function isUnknown(value: unknown): boolean {
  return value === unknown;
}

/**
 * Compares the inputs with the state.
 *
 * @param shape Has a property for each input that is compared.
 * @param replaces The inputs whose change replaces the resource.
 * @param ignores The inputs whose change is no change of the resource, such as a folder's path.
 */
export function diffInputs(
  shape: Record<string, unknown>,
  olds: RawInputs,
  news: RawInputs,
  { replaces = [], ignores = [] }: { replaces?: string[]; ignores?: string[] } = {},
): { changes: boolean; replaces: string[] } {
  const changed = Object.keys(shape).filter(
    (property) =>
      !ignores.includes(property) &&
      // While a preview shows an update of an earlier step, it does not know that step's outputs. The mark
      // is one of them, and an update keeps it.
      !(shape[property] === mark && isUnknown(news[property])) &&
      JSON.stringify(olds[property]) !== JSON.stringify(news[property]),
  );
  return {
    changes: changed.length > 0,
    replaces: changed.filter((property) => replaces.includes(property)),
  };
}

/**
 * What a resource is after an update: the new inputs, and of the state what is no input. An input that the program
 * has taken out is gone with that.
 *
 * @param shape Has a property for each input.
 */
export function updatedOutputs<News extends object>(
  shape: Record<string, unknown>,
  olds: object,
  news: News,
): News & RawInputs {
  const outputs = Object.entries(olds).filter(([property]) => !(property in shape));
  return { ...Object.fromEntries(outputs), ...news };
}
