import {
  ConcurrentUpdateError,
  LocalWorkspace,
  Stack,
  StackNotFoundError,
  type EngineEvent,
  type PulumiFn,
} from "@pulumi/pulumi/automation";
import { declareStack, type TenantDeclaration } from "../../program/stack";
import { initStack, pulumiCommand } from "./cli";
import type { RunOutcome, StepEvent } from "./engine-runs";
import { wasCutOff } from "./cut-off";
import { lockIsStale } from "./stack-lock";

/** Brings the tenant's stack up, with program/ as its inline program, in this process. */
export async function upTenant(
  tenant: TenantDeclaration,
  onStep: (event: StepEvent) => void,
): Promise<RunOutcome> {
  const faults: string[] = [];
  const onEvent = (event: EngineEvent) => {
    faults.push(...faultsOf(event));
    stepsOf(event).forEach(onStep);
  };
  try {
    const refusal = await initStack(tenant.slug);
    const stack = await openStack(tenant.slug, () => Promise.resolve(program(tenant)));
    const up = () => runUp(stack, refusal === undefined, onEvent);
    await up().catch((error: unknown) => {
      // Most stacks that cannot be made are there already; this one is not.
      if (error instanceof StackNotFoundError && refusal !== undefined) throw refusal;
      return afterStaleLock(error, stack, up);
    });
    return { result: "succeeded" };
  } catch (error) {
    const words = faults.length > 0 ? faults : [lastWords(error)];
    if (error instanceof ConcurrentUpdateError) return { result: "locked", faults: words };
    const cutOff = wasCutOff([...faults, error instanceof Error ? error.message : String(error)]);
    return { result: cutOff ? "interrupted" : "failed", faults: words };
  }
}

function program(tenant: TenantDeclaration) {
  const database = {
    // The service runs them when it starts.
    publicMigrations: false,
    passwordFromEnvironment: true,
  };
  return declareStack({ database, tenants: [tenant] });
}

async function openStack(slug: string, inline: PulumiFn): Promise<Stack> {
  const workspace = await LocalWorkspace.create({
    workDir: process.cwd(),
    pulumiCommand: await pulumiCommand(),
    program: inline,
  });
  // Selecting costs a start of the CLI, and every command names its stack anyway.
  workspace.selectStack = () => Promise.resolve();
  return Stack.select(slug, workspace);
}

async function runUp(
  stack: Stack,
  isNew: boolean,
  onEvent: (event: EngineEvent) => void,
): Promise<void> {
  // up() asks for both afterwards, at the price of a CLI start each; the database tells us more.
  stack.outputs = () => Promise.resolve({});
  stack.info = () => Promise.resolve(undefined);
  const quietly = { suppressProgress: true, color: "never", onEvent } as const;
  // What an earlier run saved need not be what the database has. What it was making when it was cut
  // off is made again, and adopted if it is there.
  if (!isNew) await stack.refresh({ ...quietly, clearPendingCreates: true });
  await stack.up(quietly);
}

/** A run that was killed leaves its lock behind, for good. */
async function afterStaleLock(
  error: unknown,
  stack: Stack,
  up: () => Promise<void>,
): Promise<void> {
  if (!(error instanceof ConcurrentUpdateError)) throw error;
  if (!(await lockIsStale(error))) throw error;
  await stack.cancel();
  await up();
}

/** Errors only: other diagnostics repeat inputs, the password's hash among them. */
function faultsOf({ diagnosticEvent }: EngineEvent): string[] {
  if (diagnosticEvent?.severity !== "error") return [];
  const message = diagnosticEvent.message.trim();
  if (message === "update failed") return [];
  const step = steps[diagnosticEvent.urn?.split(/[:$]/).at(-3) ?? ""];
  return [step === undefined ? message : `step ${step}: ${message}`];
}

/** The steps that an event tells of. A refresh only looks at them. */
function stepsOf(event: EngineEvent): StepEvent[] {
  const { resourcePreEvent, resOutputsEvent, resOpFailedEvent } = event;
  const told = [
    [resourcePreEvent, "running"],
    [resOutputsEvent, "succeeded"],
    [resOpFailedEvent, "failed"],
  ] as const;
  return told.flatMap(([{ metadata } = {}, status]) => {
    if (metadata === undefined || metadata.op === "refresh") return [];
    const step = steps[metadata.type.split(/[:/]/).at(-1) ?? ""];
    return step === undefined ? [] : [{ step, status }];
  });
}

/** The last part of a resource's type → the step that it is. */
const steps: Partial<Record<string, StepEvent["step"]>> = {
  Record: "record",
  AdminUser: "admin",
  Schema: "schema",
  Migrations: "migrations",
  Membership: "membership",
};

/** What the CLI gave as its reason, when it failed without an event that does. */
function lastWords(error: unknown): string {
  const lines = (error instanceof Error ? error.message : String(error)).split("\n");
  const reasons = lines.filter((line) => line.startsWith("error:"));
  const ending = lines.find((line) => line.startsWith(" stderr:")) ?? lines[0] ?? "";
  return (
    reasons.length > 0 ? [...new Set(reasons)].join(" ") : ending.replace(" stderr: ", "")
  ).slice(0, 1_000);
}
