import * as pulumi from "@pulumi/pulumi";
import { ConfigurationError } from "./contract/errors";
import { faultIn, tenantInputs } from "./contract/tenant-inputs";
import { isMocked } from "./mocked";
import { valueOf } from "./outputs";
import { faultsIn } from "./resources/faults";

type Field = keyof typeof tenantInputs;

/** What an author gives a tenant: a value, or an output that will be one. Not validated yet. */
type DeclaredInputs = Partial<Readonly<Record<Field, unknown>>>;

/** A tenant as its program declares it. */
export interface DeclaredTenant {
  readonly resource: pulumi.Resource;
  /** The name of the resource: by it the tenant's faults are told. */
  readonly name: string;
  readonly args: DeclaredInputs;
  /** The database that it is to be in. */
  readonly database: object;
}

/**
 * Validates a tenant's arguments in the program, before any resource of it is registered, and reports every
 * fault. The run goes on, so that a preview reports the faults of all tenants; it ends as failed.
 *
 * An output is validated once its value is known. That is never an output of the tenant itself.
 *
 * @returns the faults, for the tenant's first step, which then fails alone; undefined where there is none.
 * @throws {@link ConfigurationError} in a unit test, for values that are no outputs.
 */
export function faultsOf(tenant: DeclaredTenant): Promise<readonly string[] | undefined> {
  if (isMocked()) assertSound(tenant);
  return findFaults(tenant);
}

/**
 * In a preview, reports what only the steps can know, such as a migration that was edited after it was applied:
 * a check cannot fail without the end of the run, so it hands its faults to the program.
 */
export async function reportFaultsOfSteps(
  tenant: DeclaredTenant,
  known: Promise<readonly string[] | undefined>,
  steps: readonly { readonly faults: pulumi.Output<unknown> }[],
): Promise<void> {
  if (!pulumi.runtime.isDryRun() || isMocked()) return;
  // A step that could not be registered, and faults that could not be found, have an error of their own.
  const none = () => undefined;
  const reported = (await known.catch(none)) ?? [];
  const found = await Promise.all(steps.map(({ faults }) => valueOf(faults).catch(none)));
  const all = new Set(found.flatMap((faults) => faultsIn({ faults })));
  for (const fault of reported) all.delete(fault);
  report(tenant, [...all]);
}

/** Reports the faults of a tenant, and fails the program, once it has come to its end. */
export function report({ resource, name }: DeclaredTenant, faults: readonly string[]): void {
  if (faults.length === 0) return;
  // Nobody handles this rejection. So the SDK logs it, lets the program go on, and ends it as failed, and the
  // engine deletes nothing then. After a mere `pulumi.log.error` the program would have succeeded.
  const error = new pulumi.ResourceError(inWords(name, faults), resource, true);
  // Once the program has returned, the SDK prints the stack, and the stack's resource in the place of this.
  error.stack = error.message;
  void Promise.reject(error);
}

/** Notes faults that were found in what the arguments were made from, for {@link faultsOf}. */
export function withFaults<T extends object>(args: T, faults: readonly string[]): T {
  foundBefore.set(args, faults);
  return args;
}

const foundBefore = new WeakMap<object, readonly string[]>();

async function findFaults(tenant: DeclaredTenant): Promise<readonly string[] | undefined> {
  const known = await Promise.all(
    fields.map(async (field) => [field, await knownValue(tenant.args[field])] as const),
  );
  const faults = new Set(foundBefore.get(tenant.args));
  const isDeleted = known.some(([field, found]) => field === "deleted" && found?.value === true);
  for (const [field, found] of known) {
    const fault = found && faultIn(field, tenantInputs[field], found.value);
    if (fault !== undefined) faults.add(fault);
    // One unit test after another may declare the same tenant, in the same process.
    else if (field === "slug" && found && !isMocked() && !isDeleted)
      addIfTwice(faults, tenant, found.value);
  }
  report(tenant, [...faults]);
  return faults.size === 0 ? undefined : [...faults];
}

const fields = Object.keys(tenantInputs) as Field[];

/** @returns undefined where only `pulumi up` will tell the value. */
async function knownValue(input: unknown): Promise<{ value: unknown } | undefined> {
  // Most are plain; each output that the SDK makes costs promises and recorded call stacks.
  if (!isToCome(input)) return { value: input };
  const output = pulumi.output(input as pulumi.Input<string>);
  return valueOf(output.apply((value) => ({ value })));
}

function assertSound({ name, args }: DeclaredTenant): void {
  const plain = fields.filter((field) => !isToCome(args[field]));
  const faults = plain.flatMap((field) => faultIn(field, tenantInputs[field], args[field]) ?? []);
  if (faults.length > 0) throw new ConfigurationError(inWords(name, faults));
}

function isToCome(input: unknown): boolean {
  return pulumi.Output.isInstance(input) || input instanceof Promise;
}

/** By database: who was the first to declare a slug. */
const holders = new WeakMap<object, Map<unknown, DeclaredTenant>>();

function addIfTwice(faults: Set<string>, tenant: DeclaredTenant, slug: unknown): void {
  const slugs = holders.get(tenant.database) ?? new Map<unknown, DeclaredTenant>();
  holders.set(tenant.database, slugs);
  const first = slugs.get(slug);
  if (first === undefined) slugs.set(slug, tenant);
  else faults.add(`slug: is tenant ${first.name}'s already`);
}

function inWords(name: string, faults: readonly string[]): string {
  return faults.map((fault) => `tenant ${name}: ${fault}`).join("\n");
}
