import { writeFileSync } from "node:fs";
import {
  ConcurrentUpdateError,
  LocalWorkspace,
  Stack,
  StackNotFoundError,
  type EngineEvent,
  type OpMap,
  type PulumiFn,
} from "@pulumi/pulumi/automation";
import { declareDatabase, declareTenants, type TenantDeclaration } from "../../program/stack";
import { productRoles } from "../config/product-roles";
import { isRefusal } from "../../provider/contract/errors";
import { unasked } from "./outcomes";
import { pulumiCommand } from "./cli";
import { wasCutOff } from "./outcomes";
import type { Query } from "../database/database";
import type { RunOutcome, RunRequest } from "./engine-runs";
import { deletedOf, faultsOf, lastWords, stepsOf } from "./events";
import type { StepEvent } from "./steps";
import { dropHalfLocks, lockIsStale } from "./stack-lock";
import { watch } from "./watched-program";

/** What an `up` is begun with, before it has its request. */
export interface UpStart {
  /** The stack's name. */
  readonly stack: string;
  /** The stack's settings file; null to have the CLI write it. */
  readonly settings: string | null;
  /** Whether to refresh first: an earlier run may have changed the database and not saved that in the state. */
  readonly refresh: boolean;
  /** The running providers to attach to, as PULUMI_DEBUG_PROVIDERS names them; empty to have the engine start its own. */
  readonly attach: string;
}

/** Is notified of a run's progress. */
interface UpListener {
  /** The program has its tenants: from now on the run works for them. */
  readonly reached: () => void;
  readonly step: (event: StepEvent) => void;
}

/** An `up` that was begun. */
export interface BegunUp {
  /** Gives it its request, or none, with which it ends without changes. Never rejects. */
  readonly finish: (request: RunRequest | undefined, listener: UpListener) => Promise<RunOutcome>;
}

/**
 * Begins an `up` in this process, with an inline program that waits for what it is to declare.
 *
 * @param migrationsDir The folder with the tenant migrations, as an absolute path.
 */
export function beginUp(query: Query, migrationsDir: string, start: UpStart): BegunUp {
  let give: (request: RunRequest | undefined) => void = () => undefined;
  const wanted = new Promise<RunRequest | undefined>((resolve) => (give = resolve));
  const faults: string[] = [];
  const deleted: string[] = [];
  let listener: UpListener | undefined;
  const onFault = (event: EngineEvent) => void faults.push(...faultsOf(event));
  const onEvent = (event: EngineEvent) => {
    onFault(event);
    deleted.push(...[deletedOf(event)].filter((id) => id !== undefined));
    for (const step of stepsOf(event)) listener?.step(step);
  };
  const roles = productRoles.optional().parse(process.env.PRODUCT_ROLES) ?? [];
  const { program, declared } = watch(async () => {
    const database = declareDatabase({
      migrationsDir,
      // The service applies the public migrations when it starts.
      publicMigrations: false,
      passwordFromEnvironment: true,
      productRoles: roles,
      // Not needed, as a stack that is not new is refreshed first; and a prestarted run that gets no tenant must
      // not leave a database in the state of its stack.
      askFirst: false,
      isolateMigrations: process.env.TENANT_ROLES === "true",
    });
    const request = await wanted;
    if (request === undefined) return {};
    listener?.reached();
    const mayGo = ({ id = "" }: TenantDeclaration) => request.mayDelete.includes(id);
    const stay = request.tenants.filter((tenant) => !mayGo(tenant));
    return {
      stay: declareTenants(database, stay, { protect: true }),
      go: declareTenants(database, request.tenants.filter(mayGo)),
    };
  });
  const outcome = up(query, start, program, { onEvent, onFault }).then(
    async (changes): Promise<RunOutcome> => {
      const mayDelete = (await wanted)?.mayDelete ?? [];
      const mayBeDeleted = deleted.filter((id) => mayDelete.includes(id)).length;
      const unwanted = unasked(changes, declared(), mayBeDeleted);
      return unwanted.length > 0
        ? { result: "interrupted", faults: unwanted }
        : { result: "succeeded" };
    },
    (error: unknown) => failureOf(error, faults),
  );
  return {
    finish(request, hears) {
      listener = hears;
      give(request);
      return outcome;
    },
  };
}

/** @returns how many resources there were of each operation; undefined where the engine did not report it. */
async function up(query: Query, start: UpStart, program: PulumiFn, hears: Hears): Promise<Changes> {
  dropHalfLocks(process.env.PULUMI_BACKEND_URL ?? "", start.stack);
  const stack = await openStack(start, program);
  const run = () => runUp(stack, start.refresh, hears);
  return run().catch((error: unknown) => afterStaleLock(query, error, stack, run));
}

interface Hears {
  /** Hears each event of the `up`. */
  readonly onEvent: (event: EngineEvent) => void;
  /** Hears each event of the refresh before it, which is to be asked for nothing but faults: see {@link runUp}. */
  readonly onFault: (event: EngineEvent) => void;
}

type Changes = OpMap | undefined;

async function openStack({ stack, settings, attach }: UpStart, program: PulumiFn): Promise<Stack> {
  const workspace = await LocalWorkspace.create({
    workDir: process.cwd(),
    pulumiCommand: await pulumiCommand(),
    program,
    ...(attach === "" ? {} : { envVars: { PULUMI_DEBUG_PROVIDERS: attach } }),
  });
  // Without the settings file the CLI makes a new salt, and derives two keys: from the new salt and the old.
  if (settings !== null) writeFileSync(`Pulumi.${stack}.yaml`, settings);
  // Selecting a stack would start the CLI once more, and every command names its stack anyway.
  workspace.selectStack = () => Promise.resolve();
  return Stack.select(stack, workspace);
}

async function runUp(
  stack: Stack,
  refresh: boolean,
  { onEvent, onFault }: Hears,
): Promise<Changes> {
  // up() asks for both at its end, and each starts the CLI once more. We read the result from the database.
  stack.outputs = () => Promise.resolve({});
  stack.info = () => Promise.resolve(undefined);
  const quietly = { suppressProgress: true, color: "never" } as const;
  // Brings the state up to the database. Resources that an earlier run was creating when it was cut off are
  // dropped from the state: `up` creates them again, and their create adopts what is there.
  // It ends each resource with `same`, `update` or `delete`, as an `up` does: the steps would seem to be done already.
  if (refresh) {
    await stack.refresh({ ...quietly, clearPendingCreates: true, onEvent: onFault });
  }
  let changes: Changes;
  await stack.up({
    ...quietly,
    onEvent(event) {
      changes = event.summaryEvent?.resourceChanges ?? changes;
      onEvent(event);
    },
  });
  return changes;
}

/** Runs again where the stack's lock was left by a run that was killed: that lock would stay for ever. */
async function afterStaleLock(
  query: Query,
  error: unknown,
  stack: Stack,
  run: () => Promise<Changes>,
): Promise<Changes> {
  if (!(error instanceof ConcurrentUpdateError)) throw error;
  if (!(await lockIsStale(query, error))) throw error;
  await stack.cancel();
  return run();
}

function failureOf(error: unknown, faults: readonly string[]): RunOutcome {
  const words = faults.length > 0 ? faults : [lastWords(error)];
  if (error instanceof ConcurrentUpdateError) return { result: "locked", faults: words };
  if (error instanceof StackNotFoundError) return { result: "no stack", faults: words };
  // https://github.com/pulumi/pulumi/blob/v3.246.0/pkg/backend/diy/state.go
  if (words.some((line) => line.includes("failed to load checkpoint"))) {
    return { result: "no state", faults: words };
  }
  if (words.some(isRefusal)) return { result: "refused", faults: words };
  const cutOff = wasCutOff([...faults, error instanceof Error ? error.message : String(error)]);
  return { result: cutOff ? "interrupted" : "failed", faults: words };
}
