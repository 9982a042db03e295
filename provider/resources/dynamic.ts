import { randomUUID } from "node:crypto";
import * as pulumi from "@pulumi/pulumi";
import { z } from "zod";

/** How the engine writes an input whose value only `pulumi up` will tell. */
const unknown = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";

/** The names under which `pulumi-tenant/resources` exports its life cycles. */
export type LifecycleName = (typeof lifecycleNames)[number];

const lifecycleNames = ["tenantRecord", "adminUser", "migrations", "adminMembership"] as const;

/**
 * The provider of a dynamic resource, as its state holds it: which life cycle, by name.
 *
 * `pulumi.dynamic.Resource` writes the same property by serializing a closure, which loads the
 * TypeScript compiler into every program and gives a text that changes with the SDK and the build.
 * This text never changes, so any later version of the package serves the states of all before it.
 * The dynamic provider's side of it:
 * https://github.com/pulumi/pulumi/blob/v3.246.0/sdk/nodejs/cmd/dynamic-provider/index.ts#L77
 */
export function providerText(lifecycle: LifecycleName): string {
  return `exports.handler = () => require("pulumi-tenant/resources").${lifecycle};`;
}

/** Every text that {@link providerText} gives, and so all that a state of any release holds. */
export const providerTexts: readonly string[] = lifecycleNames.map(providerText);

/**
 * The engine's provider for dynamic resources, as a resource of its own.
 *
 * Without it they belong to the default one, into whose inputs, and so into the state, the engine
 * copies the stack's whole configuration: the admins' passwords, decrypted by `--show-secrets`.
 * https://github.com/pulumi/pulumi/blob/v3.246.0/pkg/resource/deploy/target.go#L35
 */
export class DynamicProvider extends pulumi.ProviderResource {
  constructor(name: string, opts?: pulumi.ResourceOptions) {
    super("pulumi-nodejs", name, {}, opts);
  }
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

/** The inputs of a resource as the engine sends them: nobody has read them yet. */
export type RawInputs = Record<string, unknown>;

/**
 * Validates every input whose value is known and lets the unknown ones pass.
 *
 * @returns the normalised inputs and all faults at once, each under its property.
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
 * The engine prints the value of a property that is refused, a secret's too. Where that may be a
 * password, or a URL given in the place of a variable's name, the fault names no property to it.
 * https://github.com/pulumi/pulumi/blob/v3.246.0/pkg/resource/deploy/step_generator.go
 */
function failure(property: string, reason: string): pulumi.dynamic.CheckFailure {
  const quiet = property === "password" || property === "urlEnv";
  return quiet ? { property: "", reason: `${property} ${reason}` } : { property, reason };
}

/**
 * A mark that a create leaves among its outputs. A later step that takes it as an input runs again
 * when an earlier one was made anew, by `pulumi up --replace` say, though no value of it changed.
 */
export function newMark(): string {
  return randomUUID();
}

/** A mark, as an input. */
export const mark = z.string().optional();

/** Tells whether the value is one that only `pulumi up` will tell. */
export function isUnknown(value: unknown): boolean {
  return value === unknown;
}

/**
 * Says whether the inputs ask for something else than the state holds.
 *
 * @param replaces The inputs of which a change makes another thing.
 * @param ignores The inputs of which a change means nothing, such as where files lie.
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
      // A preview of an earlier step's update does not know its mark, which an update leaves as it is.
      !(shape[property] === mark && isUnknown(news[property])) &&
      JSON.stringify(olds[property]) !== JSON.stringify(news[property]),
  );
  return {
    changes: changed.length > 0,
    replaces: changed.filter((property) => replaces.includes(property)),
  };
}
