import { mkdirSync } from "node:fs";
import path from "node:path";
import { addHoldPoints } from "./hold-points";
import {
  startedBy,
  startServiceProcess,
  type KillableService,
  type Started,
} from "./killable-service";
import { fileState, postgresState, type StateBackend } from "./pulumi-state";
import { send as request, tenantBody } from "./service-client";
import { useServiceDatabase, type ServiceDatabase } from "./service-database";
import { cleanUpServices, temporaryFolder } from "./service-process";
import { signed } from "./service-tokens";
import { expectPurged, expectWhole, type SetUp } from "./whole-tenant";

/** A verb, as its request has it. */
export type Verb = "PATCH" | "DELETE" | "suspend" | "resume" | "restore" | "purge";

/** A service that a test kills, or parts of it, with a database and a state of its own. */
export interface KillHarness {
  readonly database: ServiceDatabase;
  readonly state: () => StateBackend;
  readonly service: () => KillableService;
  /** Asks for a tenant and does not wait for it. @returns the operation's id. */
  readonly ask: (slug: string) => Promise<string>;
  /** Asks for another slug of a tenant and does not wait for it. @returns the operation's id. */
  readonly changeSlug: (tenantId: string, slug: string) => Promise<string>;
  /** Sends a verb for a tenant and does not wait for it. @returns the operation's id. */
  readonly send: (tenantId: string, verb: Verb, body?: object) => Promise<string>;
  /** Starts the service again. */
  readonly restart: () => Promise<void>;
  /** That the operation succeeds, and that its tenant is as one that nothing disturbed. */
  readonly expectWhole: (
    slug: string,
    id: string,
    differs?: Pick<SetUp, "firstSlug" | "status" | "operations">,
  ) => Promise<void>;
  /** That the operation succeeds, and that nothing is left of its tenant, nor of the run. */
  readonly expectPurged: (slug: string, id: string, stack: string) => Promise<void>;
  /** The processes of the service with such a command. */
  readonly processes: (command: RegExp) => Started[];
  /**
   * Stops the CLI at work on the tenant's stack: what is committed from now on is in no state.
   *
   * @returns lets it go on, if it is still there.
   */
  readonly stopEngine: (slug: string) => Promise<() => void>;
}

/** Starts a service before a file's tests, and ends it after them. */
export function useKillHarness(
  options: { backend?: "file" | "postgres"; env?: Record<string, string> } = {},
): KillHarness {
  const database = useServiceDatabase();
  let state: StateBackend;
  let service: KillableService;
  let token: string;
  const start = async () => {
    service = await startServiceProcess({
      DATABASE_URL: database.url(),
      PULUMI_BACKEND_URL: state.url,
      SETUP_CONCURRENCY: "2",
      RATE_LIMIT: "10000",
      ...options.env,
    });
  };

  const sendVerb = async (tenantId: string, verb: Verb, body: object = {}) => {
    const isMethod = verb === "PATCH" || verb === "DELETE";
    const address = `${service.url}/api/tenant/${tenantId}${isMethod ? "" : `/${verb}`}`;
    const method = isMethod ? verb : "POST";
    const headers = { Prefer: "respond-async" };
    const answer = await request(address, { method, token, body, headers });
    expect({ status: answer.status, body: answer.body }).toMatchObject({ status: 202 });
    return answer.body.id ?? "";
  };

  const processes = (command: RegExp) =>
    startedBy(service.child.pid).filter((started) => command.test(started.command));

  beforeAll(async () => {
    token = await signed({
      expiresIn: 3_600,
      claims: { role: "SUPER_ADMIN" },
    });
    await addHoldPoints(database);
    const folder = path.join(temporaryFolder("kills-"), "state");
    mkdirSync(folder);
    state = options.backend === "postgres" ? postgresState(database.url()) : fileState(folder);
    await start();
  });
  afterAll(async () => {
    await service.stop();
    await cleanUpServices();
  });

  return {
    database,
    state: () => state,
    service: () => service,
    restart: start,
    async ask(slug) {
      const { status, body } = await request(`${service.url}/api/tenant/setup`, {
        method: "POST",
        token,
        body: tenantBody({ slug, adminEmail: `ana@${slug}.example` }),
        headers: { Prefer: "respond-async" },
      });
      expect({ status, body }).toMatchObject({ status: 202 });
      return body.id ?? "";
    },
    changeSlug: (tenantId, slug) => sendVerb(tenantId, "PATCH", { slug }),
    send: sendVerb,
    expectWhole: (slug, id, differs) =>
      expectWhole({ database, state, service, slug, id, ...differs }),
    expectPurged: (slug, id, stack) => expectPurged({ database, state, service, slug, id }, stack),
    processes,
    async stopEngine(slug) {
      const stack = await database.stackOf(slug);
      const engine = processes(new RegExp(`pulumi (up|refresh) .*--stack ${stack} `));
      expect(engine).toHaveLength(1);
      send("SIGSTOP", engine);
      return () => send("SIGCONT", engine);
    },
  };
}

function send(signal: NodeJS.Signals, processes: readonly Started[]): void {
  for (const { pid } of processes) {
    try {
      process.kill(pid, signal);
    } catch {
      // It has ended meanwhile.
    }
  }
}
