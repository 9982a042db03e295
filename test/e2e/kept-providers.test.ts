import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { obtainEngine } from "../../engine/obtain/obtain";
import {
  eventually,
  startedBy,
  startServiceProcess,
  type KillableService,
} from "../support/killable-service";
import { postSetUp, send, tenantBody } from "../support/service-client";
import { useServiceDatabase } from "../support/service-database";
import { cleanUpServices, temporaryFolder } from "../support/service-process";
import { signed } from "../support/service-tokens";

const database = useServiceDatabase();
let service: KillableService;
let token: string;
/** One for all: the database knows which stacks there are in it. */
let state: string;

beforeAll(async () => {
  state = temporaryFolder("kept-state-");
  token = await signed({ expiresIn: 3_600 });
});
afterEach(() => service.stop());
afterAll(cleanUpServices);

async function start(changes: Record<string, string> = {}): Promise<void> {
  service = await startServiceProcess({
    DATABASE_URL: database.url(),
    PULUMI_BACKEND_URL: `file://${state}`,
    AWS_SECRET_ACCESS_KEY: "of a state in s3://",
    SETUP_CONCURRENCY: "2",
    PRESTARTED_RUNS: "1",
    SPARE_STACKS: "1",
    ...changes,
  });
}

async function setUp(slug: string): Promise<void> {
  const body = tenantBody({ slug, adminEmail: `ana@${slug}.example` });
  const { status } = await postSetUp(service.url, token, body);
  expect(status === 201 ? status : service.log()).toBe(201);
}

const started = (command: RegExp): number[] =>
  startedBy(service.child.pid)
    .filter((found) => command.test(found.command))
    .map(({ pid }) => pid);

const dynamicProvider = /dynamic-provider\.js/;
const postgresqlPlugin = /resource-postgresql|postgresql\/main/;

/** The stack of the run that waits for a tenant, and the CLI of that run, once it has begun. */
function prestarted(): Promise<{ stack: string; cli: number }> {
  return eventually(async () => {
    const [row] = await database.sql<{ name: string }>(
      "select name from public.service_stacks where status = 'prestarted'",
    );
    const [cli] = started(new RegExp(`up .*--stack ${row?.name ?? "none"} `));
    return row === undefined || cli === undefined ? undefined : { stack: row.name, cli };
  });
}

test("the environment of the kept providers has what they need, and no more", async () => {
  await start({ HTTPS_PROXY: "http://user:secret@proxy.example:3128" });
  await prestarted();
  const common = ["PATH", "HOME", "PULUMI_TENANT_INSTANCE"];
  for (const [command, own] of [
    [dynamicProvider, ["DATABASE_URL"]],
    [postgresqlPlugin, []],
  ] as const) {
    const [pid, ...more] = started(command);
    expect(more).toEqual([]);
    const names = readFileSync(`/proc/${pid ?? 0}/environ`, "utf8")
      .split("\0")
      .filter(Boolean)
      .map((entry) => entry.split("=")[0] ?? "");
    expect(names).toEqual(expect.arrayContaining([...common, ...own, "PGPASSWORD"]));
    const rest = names.filter((name) => ![...common, ...own].includes(name));
    // What the machine of a test may have set of its language, its folders and its node.
    const harmless =
      /^(PG[A-Z]+|USER|TMPDIR|TZ|LANG|LC_[A-Z]+|NODE_[A-Z_]+|SSL_CERT_[A-Z]+|PWD|OLDPWD|SHLVL|_)$/;
    expect(rest.filter((name) => !harmless.test(name))).toEqual([]);
  }
});

describe("while a provider names no port when it is kept,", () => {
  beforeEach(async () => {
    const bin = temporaryFolder("half-a-plugin-");
    const { pieces, env } = await obtainEngine(() => undefined);
    const plugin = pieces.find(({ name }) => name === "postgresql plugin")?.path ?? "";
    const half = path.join(bin, path.basename(plugin));
    // An engine's own has the engine's environment, and one that is asked for its version has no instance.
    const isKept = '[ -n "$PULUMI_TENANT_INSTANCE" ] && [ -z "$PULUMI_BACKEND_URL" ]';
    writeFileSync(half, `#!/bin/sh\n${isKept} && exec sleep 600\nexec "${plugin}" "$@"\n`);
    chmodSync(half, 0o755);
    await start({ PATH: `${bin}:${env.PATH ?? ""}` });
  });

  test("set-ups have the run that waited for them, and the service ends at once", async () => {
    // It counts as one that does not start after 15 s.
    await eventually(async () => {
      const { body } = await send(`${service.url}/readyz`);
      return (body as { slow?: string }).slow;
    });
    for (const slug of ["first-half", "second-half"]) {
      const waiting = await prestarted();
      // The upkeep looks once a second whether one is to be begun anew.
      await delay(2_500);
      expect(await prestarted()).toEqual(waiting);
      await setUp(slug);
      expect(await database.stackOf(slug)).toBe(waiting.stack);
    }
    await prestarted();
    const began = performance.now();
    await service.stop();
    // It would be 15 s while the provider is being started.
    expect(performance.now() - began).toBeLessThan(4_000);
  });
});

test("a plugin that grows is relieved while set-ups go on, and the runs that wait move on", async () => {
  const preload = path.join(temporaryFolder("hoarding-"), "preload.js");
  const hoarding = path.resolve(__dirname, "../support/hoarding-attach.js");
  writeFileSync(preload, `globalThis.hoardedMb = 90; require(${JSON.stringify(hoarding)});\n`);
  await start({ NODE_OPTIONS: `--require ${preload}` });
  const plugins = new Set<number>();
  for (const slug of ["one", "two", "three", "four", "five", "six"]) {
    const waiting = await prestarted();
    await setUp(slug);
    expect(await database.stackOf(slug)).toBe(waiting.stack);
    for (const pid of started(postgresqlPlugin)) plugins.add(pid);
  }
  expect(plugins.size).toBeGreaterThan(1);
  // The old one has ended: no run that waits holds it.
  await eventually(() => started(postgresqlPlugin).length === 1 || undefined);
  expect(service.log()).not.toContain("it is started again");
  expect((await send(`${service.url}/readyz`)).body).toEqual({ status: "ready" });
});
