import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import {
  eventually,
  startedBy,
  startServiceProcess,
  type KillableService,
} from "../support/killable-service";
import { postSetUp, send, tenantBody } from "../support/service-client";
import { useServiceDatabase } from "../support/service-database";
import { signed } from "../support/service-tokens";

const database = useServiceDatabase();
const state = mkdtempSync(path.join(tmpdir(), "ahead-"));
let service: KillableService;
let token: string;

beforeAll(async () => {
  token = await signed({ expiresIn: 3_600 });
});
beforeEach(async () => {
  service = await start();
});
afterEach(() => service.stop());
afterAll(() => rmSync(state, { recursive: true }));

const start = (changes: Record<string, string> = {}) =>
  startServiceProcess({
    DATABASE_URL: database.url(),
    PULUMI_BACKEND_URL: `file://${state}`,
    SETUP_CONCURRENCY: "2",
    PRESTARTED_RUNS: "1",
    SPARE_STACKS: "1",
    ...changes,
  });

async function setUp(slug: string): Promise<number> {
  const body = tenantBody({ slug, adminEmail: `ana@${slug}.example` });
  return (await postSetUp(service.url, token, body)).status;
}

/** The stack that is prestarted, once its run has begun. */
async function prestarted(besides = ""): Promise<string> {
  return eventually(async () => {
    const [row] = await database.sql<{ name: string }>(
      "select name from public.service_stacks where status = 'prestarted' and name <> $1",
      [besides],
    );
    const name = row?.name;
    return name !== undefined && processes(`up .*--stack ${name} `).length > 0 ? name : undefined;
  });
}

const processes = (command: string): number[] =>
  startedBy(service.child.pid)
    .filter((found) => new RegExp(command).test(found.command))
    .map(({ pid }) => pid);

function kill(signal: NodeJS.Signals, pids: readonly number[]): void {
  expect(pids).not.toEqual([]);
  for (const pid of pids) process.kill(pid, signal);
}

const provider = "dynamic-provider";

/**
 * The one provider process that is kept, once it is the same for three seconds: on a busy machine one that was slow
 * to answer may just be being replaced, and then there are two for a while.
 */
async function keptProvider(): Promise<number[]> {
  let [seen, since] = [processes(provider), performance.now()];
  return eventually(() => {
    const now = processes(provider);
    if (now.length !== 1 || now[0] !== seen[0]) [seen, since] = [now, performance.now()];
    return performance.now() - since > 3_000 ? now : undefined;
  });
}

test("a set-up takes the run that waits, and another one is begun for the next", async () => {
  const first = await prestarted();
  expect(await setUp("first")).toBe(201);
  expect(await database.stackOf("first")).toBe(first);
  const second = await prestarted();
  expect(second).not.toBe(first);
  expect(await setUp("second")).toBe(201);
  expect(await database.stackOf("second")).toBe(second);
});

test("a set-up whose waiting run was killed goes another way, and takes its stack along", async () => {
  const stack = await prestarted();
  kill("SIGKILL", processes(`up .*--stack ${stack} `));
  expect(await setUp("cli-killed")).toBe(201);
  const next = await prestarted();
  kill("SIGKILL", processes("pulumi/host\\.js"));
  expect(await setUp("hosts-killed")).toBe(201);
  expect(await prestarted(next)).toBeDefined();
});

test("every engine attaches to the providers that are kept, and starts none of its own", async () => {
  const before = await keptProvider();
  expect(await setUp("attached")).toBe(201);
  expect(processes(provider)).toEqual(before);
  expect(processes("resource-postgresql|postgresql/main")).toHaveLength(1);
});

test("a provider that dies is started again, and runs that wait for a tenant are begun anew", async () => {
  const dead = await keptProvider();
  const stack = await prestarted();
  const [cli] = processes(`up .*--stack ${stack} `);
  kill("SIGKILL", dead);
  await eventually(() =>
    processes(provider).some((pid) => !dead.includes(pid)) ? true : undefined,
  );
  await eventually(
    async () =>
      processes(`up .*--stack ${await prestarted()} `).includes(cli ?? 0) ? undefined : true,
    180_000,
  );
  expect(service.log()).toContain("provider pulumi-nodejs ended with SIGKILL");
  expect(await setUp("provider-died")).toBe(201);
  expect((await send(`${service.url}/readyz`)).body).toEqual({ status: "ready" });
});

test("a provider that hangs is replaced, and the set-up that waited for it succeeds", async () => {
  await prestarted();
  const hung = await keptProvider();
  kill("SIGSTOP", hung);
  const status = await setUp("provider-hung");
  expect(status === 201 ? status : service.log()).toBe(201);
  expect(processes(provider)).not.toEqual(hung);
});

test("what a killed service had begun ahead is ended, and its stacks are removed", async () => {
  const stack = await prestarted();
  const killed = service;
  await killed.kill();
  service = await start();
  await eventually(async () => {
    const rows = await database.sql("select from public.service_stacks where name = $1", [stack]);
    return rows.length === 0 ? true : undefined;
  });
  expect(startedBy(killed.child.pid)).toEqual([]);
  const folders = readdirSync(tmpdir()).filter((name) => name.startsWith("pulumi-tenant-run-"));
  expect(folders.filter((name) => name.includes(`-${killed.child.pid ?? 0}-`))).toEqual([]);
  expect(readdirSync(path.join(state, ".pulumi/stacks/tenant-service"))).not.toContain(
    `${stack}.json`,
  );
  expect(await setUp("after-a-kill")).toBe(201);
});

test("at its end the service leaves its spare stacks to the next one, without locks", async () => {
  const stack = await prestarted();
  await service.stop();
  const rows = await database.sql(
    "select name, status from public.service_stacks where status in ('making', 'prestarted')",
  );
  expect(rows).toEqual([]);
  const locks = path.join(state, ".pulumi/locks/organization/tenant-service", stack);
  expect(readdirSync(locks)).toEqual([]);
  service = await start();
  await prestarted();
});

test("without any of it a set-up goes the slow way", async () => {
  await service.stop();
  service = await start({
    ...{
      KEEP_PROVIDERS: "false",
      PRESTARTED_RUNS: "0",
      SPARE_STACKS: "0",
      SKIP_CHECKPOINTS: "false",
    },
  });
  expect(await setUp("slow")).toBe(201);
  await eventually(() => (processes(provider).length === 0 ? true : undefined));
  const file = path.join(
    state,
    `.pulumi/stacks/tenant-service/${await database.stackOf("slow")}.json`,
  );
  expect(readFileSync(file, "utf8")).toContain("tenant:Membership");
});

test("two services at once hand out each spare stack once", async () => {
  const other = await start({ SPARE_STACKS: "2" });
  const slugs = Array.from({ length: 8 }, (_, i) => `shared-${i}`);
  const answers = await Promise.all(
    slugs.map((slug, i) =>
      postSetUp(i % 2 === 0 ? service.url : other.url, token, tenantBody({ slug })),
    ),
  );
  expect(answers.map(({ status }) => status)).toEqual(slugs.map(() => 201));
  const stacks = await Promise.all(slugs.map((slug) => database.stackOf(slug)));
  expect(new Set(stacks).size).toBe(slugs.length);
  await other.stop();
});
