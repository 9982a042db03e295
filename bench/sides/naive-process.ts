/**
 * The Automation API used as its documentation shows it: a workspace and a stack for each tenant, an
 * inline program, `setConfig`, `up`, `outputs`.
 * https://www.pulumi.com/docs/iac/automation-api/getting-started-automation-api/
 */
import { LocalWorkspace, type EngineEvent } from "@pulumi/pulumi/automation";
import { declareStack } from "../../program/stack";
import { tenantMigrationsDir } from "../../provider/database/migrations";
import type { NaiveAnswer, NaiveRequest } from "./naive";

process.on("message", (request: NaiveRequest) => {
  void answer(request).then((said) => process.send?.(said));
});

async function answer(request: NaiveRequest): Promise<NaiveAnswer> {
  const marks: [string, number][] = [["start", performance.now()]];
  const mark = (name: string) => void marks.push([name, performance.now()]);
  try {
    await setUp(request, mark);
    return { id: request.id, marks };
  } catch (error) {
    const problem = error instanceof Error ? error.message : String(error);
    return { id: request.id, marks, problem };
  }
}

async function setUp(
  { tenant, profiled }: NaiveRequest,
  mark: (name: string) => void,
): Promise<void> {
  const program = () => {
    if (profiled) mark("CLI start, key derivation");
    // The control tables are there already, as for the service, which makes them when it starts.
    return Promise.resolve(
      declareStack({
        database: { migrationsDir: tenantMigrationsDir, publicMigrations: false },
        tenants: [tenant],
      }),
    );
  };
  const stack = await LocalWorkspace.createOrSelectStack({
    stackName: tenant.slug,
    projectName: "naive",
    program,
  });
  mark("workspace, stack");
  await stack.setConfig("tenant", { value: tenant.slug });
  mark("set config");
  await stack.up({ onOutput: () => undefined, ...(profiled ? { onEvent: stepMarks(mark) } : {}) });
  mark("end of up");
  await stack.outputs();
  mark("outputs");
}

/** Marks when the first step began, and when each step ended. */
function stepMarks(mark: (name: string) => void): (event: EngineEvent) => void {
  return ({ resourcePreEvent, resOutputsEvent }) => {
    const begun = stepOf(resourcePreEvent?.metadata.type);
    const ended = stepOf(resOutputsEvent?.metadata.type);
    if (begun === "record") mark("program, providers");
    if (ended !== undefined) mark(ended);
  };
}

/** The step that a resource is, by the last part of its type. */
const steps: Partial<Record<string, string>> = {
  Record: "record",
  AdminUser: "admin",
  Schema: "schema",
  Migrations: "migrations",
  Membership: "membership",
};

function stepOf(type: string | undefined): string | undefined {
  return steps[type?.split(/[:/]/).at(-1) ?? ""];
}
