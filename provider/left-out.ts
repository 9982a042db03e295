import * as pulumi from "@pulumi/pulumi";
import { z } from "zod";
import { countTables } from "./database/schema";
import { withConnection } from "./database/pool";
import { valueOf } from "./outputs";
import { isUnknown } from "./resources/dynamic";
import { rules } from "./contract/rules";

/** What a program declares, as outputs of which a preview knows those that the state has already. */
interface Declared {
  readonly databases: pulumi.Output<string>[];
  readonly tenants: pulumi.Output<string>[];
}

/** By stack: programs of several may run in one process. */
const declared = new WeakMap<pulumi.Resource, Declared>();

/** Notes that the program declares this tenant, for {@link tellLeftOut}. */
export function noteDeclared(tenantId: pulumi.Output<string>): void {
  const stack = pulumi.runtime.getStackResource();
  if (stack) declared.get(stack)?.tenants.push(tenantId);
}

/**
 * In a preview, says of each tenant that the stack's state holds, and the program declares no more,
 * whether its end keeps or drops its data. The engine shows the resources that go, and asks no provider
 * about them. To be called for each database, before its tenants are declared.
 *
 * @param provider Of the database's tenants.
 */
export function tellLeftOut(provider: pulumi.ProviderResource): void {
  const stack = pulumi.runtime.getStackResource();
  if (!pulumi.runtime.isDryRun() || stack === undefined) return;
  const known = declared.get(stack);
  const all = known ?? { databases: [], tenants: [] };
  all.databases.push(provider.id);
  if (known) return;
  declared.set(stack, all);
  // Else the SDK may hang up as soon as the last resource is registered.
  const done = pulumi.runtime.rpcKeepAlive();
  void valueOf(stack.outputs)
    .then(() =>
      Promise.all([all.databases, all.tenants].map((ids) => Promise.all(ids.map(valueOf)))),
    )
    // A program that failed has not declared all that it holds, and says why by itself.
    .then(tellAll, () => undefined)
    .finally(done);
}

async function tellAll([databases = [], tenants = []]: readonly unknown[][]): Promise<void> {
  // The CLI panics when it is asked for what a stack holds that was never applied.
  // https://github.com/pulumi/pulumi/blob/v3.246.0/pkg/backend/backend.go#L444
  if (!databases.some(isKnownId)) return;
  const schemas = tenants.filter(isKnownId).map((id) => `tenant_${id}`);
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

/** The id of a resource that is to be made is none, or what the engine writes for what it does not know. */
function isKnownId(id: unknown): id is string {
  return typeof id === "string" && id !== "" && !isUnknown(id);
}
