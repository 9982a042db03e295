import * as pulumi from "@pulumi/pulumi";
import { z } from "zod";
import { countTables } from "./database/schema";
import { withConnection } from "./database/pool";
import { rules } from "./rules";

/** Stack → the ids of the tenants that its program declares. Programs of several may run in one process. */
const declared = new WeakMap<pulumi.Resource, pulumi.Output<string>[]>();

/** Notes that the program declares this tenant, for {@link tellLeftOut}. */
export function noteDeclared(tenantId: pulumi.Output<string>): void {
  const stack = pulumi.runtime.getStackResource();
  if (stack) declared.get(stack)?.push(tenantId);
}

/**
 * In a preview, says of each tenant that the stack's state holds, and the program declares no more,
 * whether its end keeps or drops its data. The engine shows the resources that go, and asks no provider
 * about them. Once for each stack; to be called before the tenants are declared.
 */
export function tellLeftOut(): void {
  const stack = pulumi.runtime.getStackResource();
  if (!pulumi.runtime.isDryRun() || stack === undefined || declared.has(stack)) return;
  const ids: pulumi.Output<string>[] = [];
  declared.set(stack, ids);
  // Else the SDK may hang up as soon as the last resource is registered.
  const done = pulumi.runtime.rpcKeepAlive();
  void settled(stack.outputs)
    .then(() => Promise.all(ids.map(settled)))
    // A program that failed has not declared all that it holds, and says why by itself.
    .then(tellAll, () => undefined)
    .finally(done);
}

/** @param ids Of the declared tenants; what is no string will be the id of one that is to be made. */
async function tellAll(ids: readonly unknown[]): Promise<void> {
  const schemas = ids.map((id) => `tenant_${String(id)}`);
  try {
    for (const tenant of await tenantsInState()) {
      if (!schemas.includes(tenant.schemaName)) await tell(tenant);
    }
  } catch (error) {
    await pulumi.log.warn(`this preview cannot tell which tenants are left out: ${String(error)}`);
  }
}

async function tell({ name, urlEnv, schemaName, forceDestroy }: TenantInState): Promise<void> {
  const leftOut = `tenant ${name} is declared no more: its end`;
  if (!forceDestroy) {
    await pulumi.log.warn(`${leftOut} keeps schema ${schemaName} and its data`);
    return;
  }
  // A preview needs no database.
  const tables = await withConnection(urlEnv, (client) => countTables(client, schemaName)).catch(
    () => "all its",
  );
  await pulumi.log.warn(`${leftOut} DROPS schema ${schemaName} with ${tables} tables`);
}

interface TenantInState extends z.infer<typeof migrationsStep> {
  readonly name: string;
}

const migrationsStep = z.object({
  urlEnv: rules.environmentVariable,
  schemaName: z.string(),
  forceDestroy: z.boolean(),
});

const state = z.object({
  outputs: z.record(z.string(), z.object({ type: z.string(), outputs: z.unknown() })),
});

/** Asks the engine for what the state of this stack holds, as it does for stack references. */
async function tenantsInState(): Promise<TenantInState[]> {
  const stackName = [pulumi.getOrganization(), pulumi.getProject(), pulumi.getStack()].join("/");
  const token = "pulumi:pulumi:readStackResourceOutputs";
  const { outputs } = state.parse(await pulumi.runtime.invoke(token, { stackName }));
  return Object.entries(outputs)
    .filter(([, { type }]) => type === "pulumi-nodejs:dynamic/tenant:Migrations")
    .map(([urn, step]) => ({
      name: urn.split("::").at(-1) ?? urn,
      ...migrationsStep.parse(step.outputs),
    }));
}

/** The output's value, or something else than a string while only `up` will tell. */
async function settled(output: pulumi.Output<unknown>): Promise<unknown> {
  // The SDK hides this method from its types. Its `apply` never calls back in a preview for such a value.
  return (output as unknown as { promise(): Promise<unknown> }).promise();
}
