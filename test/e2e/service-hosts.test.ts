import { randomUUID } from "node:crypto";
import { existsSync, readlinkSync, renameSync } from "node:fs";
import { pino } from "pino";
import { obtainEngine, type Engine } from "../../engine/obtain/obtain";
import { hashPassword } from "../../provider/contract/passwords";
import { tenantMigrationsDir } from "../../provider/database/migrations";
import type { EngineRuns, RunRequest } from "../../service/pulumi/engine-runs";
import { engineEnvironment } from "../../service/pulumi/engine-environment";
import { startRuns, type RunsSettings } from "../../service/pulumi/runs";
import { fastest } from "../../service/config/engine-options";
import { stacksOf } from "../../service/pulumi/stacks/stacks";
import { wantedBySlug } from "../../service/tenants/wanted";
import type { TenantSpec } from "../../service/tenants/wanted-tenant";
import { addHoldPoints, hold } from "../support/hold-points";
import { eventually } from "../support/killable-service";
import { pgrep } from "../support/pgrep";
import { tenantBody } from "../support/service-client";
import { useServiceDatabase } from "../support/service-database";
import { cleanUpServices, temporaryFolder } from "../support/service-process";

const database = useServiceDatabase();
let engine: Engine;
let state: string;
let password: string;

beforeAll(async () => {
  engine = await obtainEngine(() => undefined);
  state = temporaryFolder("hosts-state-");
  password = await hashPassword("a quiet purple river", "hosts");
  await addHoldPoints(database);
});
afterAll(cleanUpServices);

const engineOptions = { ...fastest, prestartedRuns: 0, spareStacks: 0 };

function hosts(changes: Partial<RunsSettings> = {}): EngineRuns {
  const env = engineEnvironment({
    engine: engine.env,
    databaseUrl: database.url(),
    backendUrl: `file://${state}`,
    passphrase: "a passphrase for tests",
    migrationsDir: tenantMigrationsDir,
    engineOptions,
  });
  const stacks = stacksOf(database.handle, randomUUID());
  const { pulumi } = engine;
  const root = temporaryFolder("hosts-");
  const settings = { pulumi, env, root, size: 1, engineOptions, stacks, providers: undefined };
  return startRuns({ ...settings, log: pino({ level: "silent" }), ...changes });
}

/** What a run of the tenant with this slug is asked for. */
async function wanted(slug: string): Promise<RunRequest> {
  const known = await wantedBySlug(database.handle.query, slug);
  const id = known?.id ?? (await database.addWanted(slug));
  const spec = { ...tenantBody({ slug }), adminPassword: password } as unknown as TenantSpec;
  return { tenantId: id, tenants: [{ ...spec, key: id, id }], mayDelete: [] };
}

/** The hosts that this process has, by process id. */
const hostProcesses = () => pgrep("-P", String(process.pid), "-f", "pulumi/host.js");

/** The one host that this process has, once it has it. */
async function firstHost(): Promise<number> {
  const pids = await eventually(() => (hostProcesses().length > 0 ? hostProcesses() : undefined));
  expect(pids).toHaveLength(1);
  return pids[0] ?? 0;
}

/** The CLI's runs of the stack of the tenant with this slug. */
async function cliRuns(slug: string): Promise<number[]> {
  const stack = await database.stackOf(slug);
  return stack === "" ? [] : pgrep("-f", `pulumi up .*--stack ${stack} `);
}

async function statusOf(slug: string): Promise<unknown> {
  const [row] = await database.sql<{ status: string }>(
    "select status from public.tenants where slug = $1",
    [slug],
  );
  return row?.status;
}

const begun = (slug: string) => eventually(() => statusOf(slug));

test("a host that died idle takes no run with it", async () => {
  const runs = hosts();
  expect(await runs.run(await wanted("before-a-death"))).toEqual({ result: "succeeded" });
  const idle = await firstHost();
  process.kill(idle, "SIGKILL");
  expect(await runs.run(await wanted("after-a-death"))).toEqual({ result: "succeeded" });
  expect(await firstHost()).not.toBe(idle);
  await runs.close("finished");
  expect(hostProcesses()).toEqual([]);
});

test("a host that dies in a run fails that run, with how it died, and ends the CLI it started", async () => {
  const runs = hosts();
  const held = await hold(database, "before tenants");
  const run = runs.run(await wanted("host-dies"));
  try {
    await held.reached();
    const clis = await cliRuns("host-dies");
    expect(clis).toHaveLength(1);
    // One that is stopped does not end by itself.
    for (const pid of clis) process.kill(pid, "SIGSTOP");
    process.kill(await firstHost(), "SIGKILL");
    const outcome = await run;
    expect(outcome).toMatchObject({ result: "interrupted" });
    expect(JSON.stringify(outcome)).toContain("SIGKILL");
    await eventually(async () => (await cliRuns("host-dies")).length === 0 || undefined, 10_000);
  } finally {
    for (const pid of await cliRuns("host-dies")) process.kill(pid, "SIGKILL");
    await held.release();
  }

  expect(await runs.run(await wanted("host-dies"))).toEqual({ result: "succeeded" });
  expect(await statusOf("host-dies")).toBe("active");
  await runs.close("finished");
});

test("a run that hangs is ended after its time, and the next one goes on", async () => {
  const impatient = hosts({ timeoutMs: 3_000 });
  const held = await hold(database, "before tenants");
  try {
    const run = impatient.run(await wanted("hangs"));
    await eventually(async () => (await cliRuns("hangs")).length === 1 || undefined);
    expect(await run).toEqual({ result: "failed", faults: ["the run took longer than 3 s"] });
    await eventually(async () => (await cliRuns("hangs")).length === 0 || undefined, 10_000);
  } finally {
    await held.release();
    await impatient.close("now");
  }
  const patient = hosts();
  expect(await patient.run(await wanted("hangs"))).toEqual({ result: "succeeded" });
  await patient.close("finished");
});

test("hosts are replaced after their runs, and their folders go with them", async () => {
  const runs = hosts({ runsEach: 1 });
  const first = await firstHost();
  const folder = readlinkSync(`/proc/${first}/cwd`);
  expect(existsSync(folder)).toBe(true);
  expect(await runs.run(await wanted("first"))).toEqual({ result: "succeeded" });
  expect(await runs.run(await wanted("second"))).toEqual({ result: "succeeded" });
  expect(await firstHost()).not.toBe(first);
  await runs.close("finished");
  expect(existsSync(folder)).toBe(false);
});

test("a host whose run failed takes no other: what that left behind would meet the next one", async () => {
  const runs = hosts();
  const first = await firstHost();
  const broken = await wanted("leaves-something");
  const tenants = broken.tenants.map((tenant) => ({ ...tenant, adminEmail: "nobody" }));
  expect(await runs.run({ ...broken, tenants })).toMatchObject({ result: "failed" });
  expect(await runs.run(broken)).toEqual({ result: "succeeded" });
  expect(await firstHost()).not.toBe(first);
  await runs.close("finished");
});

test("closing now ends a run at whatever it is, and lets none begin", async () => {
  const runs = hosts();
  // Its host is still loading.
  const early = runs.run(await wanted("closed-early"));
  await runs.close("now");
  expect(await early).toMatchObject({ result: "interrupted" });
  expect(await statusOf("closed-early")).toBeUndefined();
  expect(await runs.run(await wanted("closed-early"))).toEqual({
    result: "interrupted",
    faults: ["the service ended"],
  });

  const others = hosts();
  const late = others.run(await wanted("closed-late"));
  await begun("closed-late");
  await others.close("now");
  expect(await late).toMatchObject({ result: "interrupted" });
  expect(hostProcesses()).toEqual([]);
});

test("runs beside each other do not meet", async () => {
  const runs = hosts({ size: 2 });
  const slugs = ["side-1", "side-2"];
  const outcomes = await Promise.all(slugs.map(async (slug) => runs.run(await wanted(slug))));
  expect(outcomes).toEqual(slugs.map(() => ({ result: "succeeded" })));
  await runs.close("finished");
});

test("the trial of the engine tells what is wrong, in one line", async () => {
  const working = hosts();
  expect(await working.tryEngine()).toBeUndefined();
  await working.close("finished");
  const env = { ...process.env, ...engine.env, PULUMI_BACKEND_URL: "file:///nowhere" };
  const stateless = hosts({ env });
  expect(await stateless.tryEngine()).toMatch(/^unable to open bucket .*no such file/);
  await stateless.close("finished");
  const without = hosts({ pulumi: "/nowhere/pulumi" });
  expect(await without.tryEngine()).toMatch(/ENOENT/);
  await without.close("finished");
});

test("a backend that was away is one warning, and a set-up waits for none of its retries", async () => {
  const lines: { level: number; msg: string }[] = [];
  const log = pino({}, { write: (line) => void lines.push(JSON.parse(line) as (typeof lines)[0]) });
  const runs = hosts({ engineOptions: { ...engineOptions, spareStacks: 1 }, log });
  const failed = () =>
    database.sql("select name from public.service_stacks where status = 'removing'");
  await database.sql("delete from public.service_stacks where status <> 'taken'");
  renameSync(state, `${state}-away`);
  try {
    runs.startAhead();
    // After the third, 4 s are left alone.
    await eventually(async () => (await failed()).length >= 3 || undefined);
  } finally {
    renameSync(`${state}-away`, state);
  }
  expect(await runs.run(await wanted("after-it-was-away"))).toEqual({ result: "succeeded" });
  await eventually(() => lines.length >= 2 || undefined);
  await runs.close("now");
  expect(lines.map(({ level, msg }) => [level, msg])).toEqual([
    [40, expect.stringMatching(/^no spare stacks can be made .* no such file or directory$/)],
    [30, "stacks can be made in the state backend again"],
  ]);
});

test("a run without a CLI fails by saying so", async () => {
  const env = { PATH: "/nowhere", DATABASE_URL: database.url() };
  const runs = hosts({ env });
  const outcome = await runs.run(await wanted("no-cli"));
  expect(outcome).toMatchObject({ result: "no engine" });
  expect(JSON.stringify(outcome)).toContain("ENOENT");
  await runs.close("finished");
});
