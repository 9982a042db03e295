import * as pulumi from "@pulumi/pulumi";
import { z } from "zod";
import { countTables } from "./database/schema";
import { withConnection } from "./database/pool";
import { valueOf } from "./outputs";
import { isUnknown } from "./resources/dynamic";
import { refusedEnd } from "./resources/record-owner";
import { rules } from "./contract/rules";

/** What a program declares, as ids. A preview knows those of resources that are in the state already. */
interface Declared {
  readonly databases: pulumi.Output<string>[];
  readonly tenants: pulumi.Output<string>[];
}

/** By stack, because programs of several stacks may run in one process. */
const declared = new WeakMap<pulumi.Resource, Declared>();

/** Notes that the program declares this tenant, for {@link warnOfLeftOut}. */
export function noteDeclared(tenantId: pulumi.Output<string>): void {
  const stack = pulumi.runtime.getStackResource();
  if (stack) declared.get(stack)?.tenants.push(tenantId);
}

/**
 * In a preview, warns of each tenant that is in the stack's state and not in the program any more, and says
 * whether its data will be kept or dropped. The program has to do it: for a resource that is to be deleted
 * the engine asks no provider. To be called for each database, before its tenants are declared.
 *
 * @param provider The dynamic provider of the database's tenants.
 */
export function warnOfLeftOut(provider: pulumi.ProviderResource): void {
  const stack = pulumi.runtime.getStackResource();
  if (!pulumi.runtime.isDryRun() || stack === undefined) return;
  const known = declared.get(stack);
  const all = known ?? { databases: [], tenants: [] };
  all.databases.push(provider.id);
  if (known) return;
  declared.set(stack, all);
  atEndOfProgram(async () => {
    const ids = [all.databases, all.tenants].map((outputs) => Promise.all(outputs.map(valueOf)));
    await warnOfAll(await Promise.all(ids));
  });
}

/**
 * Does something once the program has declared all of its resources. A program that failed may not have; it
 * reports its own error.
 */
export function atEndOfProgram(work: () => Promise<void>): void {
  const stack = pulumi.runtime.getStackResource();
  if (stack === undefined) return;
  // Without this the SDK may disconnect from the engine once the last resource is registered.
  const done = pulumi.runtime.rpcKeepAlive();
  void valueOf(stack.outputs)
    .then(work, () => undefined)
    .finally(done);
}

async function warnOfAll([databases = [], tenants = []]: readonly unknown[][]): Promise<void> {
  // The CLI panics when it is asked for the resources of a stack that was never applied.
  // https://github.com/pulumi/pulumi/blob/v3.246.0/pkg/backend/backend.go#L444
  if (!databases.some(isKnownId)) return;
  const schemas = tenants.filter(isKnownId).map((id) => `tenant_${id}`);
  try {
    for (const tenant of await tenantsInState()) {
      if (!schemas.includes(tenant.schemaName)) await warnOf(tenant);
    }
  } catch (error) {
    await pulumi.log.warn(`this preview cannot tell which tenants are left out: ${String(error)}`);
  }
}

async function warnOf(tenant: TenantInState): Promise<void> {
  const { name, urlEnv, schemaName, forceDestroy, release, owner } = tenant;
  const leftOut = `tenant ${name} is declared no more: its end`;
  if (release === true) {
    await pulumi.log.warn(
      `${leftOut} releases it: it stays as it is, in schema ${schemaName}, and adopt: true takes it over`,
    );
    return;
  }
  // A preview has to work without a database: then nobody knows who has the tenant.
  const refused = await withConnection(urlEnv, (client) =>
    refusedEnd(client, schemaName.replace(/^tenant_/, ""), owner),
  ).catch(() => undefined);
  if (refused !== undefined) {
    await pulumi.log.warn(`${leftOut} will be refused: ${refused}`);
    return;
  }
  if (!forceDestroy) {
    await pulumi.log.warn(`${leftOut} keeps schema ${schemaName} and its data`);
    return;
  }
  const tables = await withConnection(urlEnv, (client) => countTables(client, schemaName)).catch(
    () => "all its",
  );
  await pulumi.log.warn(`${leftOut} DROPS schema ${schemaName} with ${tables} tables`);
}

interface TenantInState extends z.infer<typeof migrationsStep> {
  readonly name: string;
  /** Undefined where the state is from before the last step kept it, or that step was never done. */
  readonly owner: string | undefined;
}

const migrationsStep = z.object({
  urlEnv: rules.environmentVariable,
  schemaName: z.string(),
  forceDestroy: z.boolean(),
  release: z.boolean().optional(),
});

const membershipStep = z.object({ owner: rules.owner.optional() });

const state = z.object({
  outputs: z.record(z.string(), z.object({ type: z.string(), outputs: z.unknown() })),
});

/** The tenants in this stack's state, read by the call that serves stack references. */
async function tenantsInState(): Promise<TenantInState[]> {
  const stackName = [pulumi.getOrganization(), pulumi.getProject(), pulumi.getStack()].join("/");
  const token = "pulumi:pulumi:readStackResourceOutputs";
  const { outputs } = state.parse(await pulumi.runtime.invoke(token, { stackName }));
  return Object.entries(outputs)
    .filter(([, { type }]) => type === "pulumi-nodejs:dynamic/tenant:Migrations")
    .map(([urn, step]) => ({
      name: urn.split("::").at(-1) ?? urn,
      ...migrationsStep.parse(step.outputs),
      owner: ownerIn(outputs[urn.replace(/:Migrations(?=::)/, ":Membership")]?.outputs),
    }));
}

function ownerIn(membership: unknown): string | undefined {
  return membershipStep.safeParse(membership).data?.owner;
}

/** Whether a preview knows the id. Of a resource that is yet to be made, it is empty or marked as unknown. */
export function isKnownId(id: unknown): id is string {
  return typeof id === "string" && id !== "" && !isUnknown(id);
}
