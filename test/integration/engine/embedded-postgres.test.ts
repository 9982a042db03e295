import { fork, spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { Client } from "pg";

import { serverAccount } from "../../../engine/postgres/account";
import {
  type EmbeddedPostgres,
  findEmbeddedPostgres,
  startEmbeddedPostgres,
} from "../../../engine/postgres/embedded";

let directory: string;
let running: EmbeddedPostgres | undefined;

async function start(): Promise<EmbeddedPostgres> {
  running = await startEmbeddedPostgres({ directory, report: () => undefined });
  return running;
}

async function stop(): Promise<void> {
  await running?.stop();
  running = undefined;
}

async function query(url: string, text: string): Promise<unknown[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query<unknown[]>({ text, rowMode: "array" });
    return rows.flat();
  } finally {
    await client.end();
  }
}

const portOf = (url: string) => Number(new URL(url).port);
const pidFile = () => join(directory, "server", "data", "postmaster.pid");
const serverPid = () => Number(readFileSync(pidFile(), "utf8").split("\n")[0]);

/** Starts the server in another process and kills that one: the server goes on alone. */
async function leaveRunning(): Promise<void> {
  const owner = fork(join(__dirname, "..", "..", "support", "start-postgres.js"), [directory]);
  await once(owner, "message");
  owner.kill("SIGKILL");
  await once(owner, "exit");
}

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "embedded-"));
  chmodSync(directory, 0o755);
});
afterEach(async () => {
  await stop();
  rmSync(directory, { recursive: true, force: true });
});

describe("the embedded PostgreSQL", () => {
  it("gives its owner a database, and no rights beyond it", async () => {
    const { url } = await start();
    expect(
      await query(
        url,
        `select current_user::text, current_database()::text, rolsuper, rolcreaterole, rolcreatedb,
                pg_get_userbyid(datdba)::text
           from pg_roles, pg_database
          where rolname = current_user and datname = current_database()`,
      ),
    ).toEqual(["pulumi_tenant", "pulumi_tenant", false, false, false, "pulumi_tenant"]);
  });

  it("listens on the loopback address only, asks for a password, and keeps what is committed", async () => {
    const { superuserUrl } = await start();
    const settings = [
      "listen_addresses",
      "unix_socket_directories",
      "password_encryption",
      "fsync",
    ];
    const values = settings.map((name) => `current_setting('${name}')`).join(", ");
    expect(await query(superuserUrl, `select ${values}`)).toEqual([
      "127.0.0.1",
      "",
      "scram-sha-256",
      "on",
    ]);
    const wrong = new URL(superuserUrl);
    wrong.password = "wrong";
    await expect(query(wrong.href, "select 1")).rejects.toMatchObject({ code: "28P01" });
  });

  it("keeps its passwords to itself", async () => {
    await start();
    const file = join(directory, "credentials.json");
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const { ownerPassword, superuserPassword } = JSON.parse(readFileSync(file, "utf8")) as {
      ownerPassword: string;
      superuserPassword: string;
    };
    expect(ownerPassword).toHaveLength(48);
    expect(superuserPassword).not.toBe(ownerPassword);
    expect(readFileSync(join(directory, "server", "server.log"), "utf8")).not.toContain(
      ownerPassword,
    );
  });

  it("finds its data and its port again at the next start", async () => {
    const first = await start();
    await query(first.url, "create table kept as select 42 as answer");
    await stop();
    const second = await start();
    expect(second.url).toBe(first.url);
    expect(await query(second.url, "select answer from kept")).toEqual([42]);
  });

  it("takes another port when its own is taken, and keeps that one", async () => {
    const first = await start();
    await stop();
    const squatter = createServer().listen(portOf(first.url), "127.0.0.1");
    await once(squatter, "listening");
    const second = await start();
    expect(portOf(second.url)).not.toBe(portOf(first.url));
    await stop();
    squatter.close();
    expect((await start()).url).toBe(second.url);
  });

  it("is one line that names the process when another one uses the directory", async () => {
    await start();
    await expect(startEmbeddedPostgres({ directory, report: () => undefined })).rejects.toThrow(
      new RegExp(`^${directory} is in use by another instance \\(process ${process.pid}\\)$`),
    );
  });

  it("can be found by others while it runs, and not after", async () => {
    const { url } = await start();
    expect(await findEmbeddedPostgres(directory)).toBe(url);
    await stop();
    expect(await findEmbeddedPostgres(directory)).toBeUndefined();
  });
});

describe("after a kill", () => {
  it("of its owner, the server that goes on alone is taken over", async () => {
    await leaveRunning();
    const pid = serverPid();
    const { url } = await start();
    expect(serverPid()).toBe(pid);
    expect(await query(url, "select 1")).toEqual([1]);
    await stop();
    expect(() => serverPid()).toThrow("ENOENT");
  });

  it("of the server too, what was committed is there", async () => {
    await leaveRunning();
    const url = (await findEmbeddedPostgres(directory)) ?? "";
    await query(url, "create table kept as select 42 as answer");
    process.kill(serverPid(), "SIGKILL");
    expect(await query((await start()).url, "select answer from kept")).toEqual([42]);
  });

  it("a process that has the server's old process id by now is no obstacle, and is left alone", async () => {
    await leaveRunning();
    const pid = serverPid();
    process.kill(pid, "SIGKILL");
    // PostgreSQL refuses for processes of its own account only, so that is who this one must be.
    const innocent = spawn("sleep", ["60"], { ...(await serverAccount()), cwd: "/" });
    const file = readFileSync(pidFile(), "utf8").replace(/^\d+/, String(innocent.pid));
    writeFileSync(pidFile(), file);
    try {
      const { url } = await start();
      expect(await query(url, "select 1")).toEqual([1]);
      await stop();
      expect(innocent.exitCode).toBeNull();
      expect(innocent.signalCode).toBeNull();
    } finally {
      innocent.kill("SIGKILL");
    }
  });

  it("in the middle of making the files, they are made again", async () => {
    const half = join(directory, "server", "data.new");
    mkdirSync(half, { recursive: true });
    writeFileSync(join(half, "PG_VERSION"), "18");
    const { url } = await start();
    expect(await query(url, "select 1")).toEqual([1]);
  });

  it("before the owner's database was made, it is made now", async () => {
    const first = await start();
    await query(first.superuserUrl, "drop database pulumi_tenant");
    await stop();
    expect(await query((await start()).url, "select 1")).toEqual([1]);
  });
});

describe("what cannot be mended", () => {
  it("is a lost credentials.json, and the message says what to do", async () => {
    await start();
    await stop();
    rmSync(join(directory, "credentials.json"));
    await expect(start()).rejects.toThrow(/has lost its credentials\.json: put it back, or remove/);
  });

  it("is a damaged credentials.json, which no message repeats", async () => {
    writeFileSync(join(directory, "credentials.json"), '{"port":1,"secret":"hush"}');
    const error: unknown = await start().catch((e: unknown) => e);
    expect(String(error)).toMatch(/credentials\.json is damaged: put it back, or remove/);
    expect(String(error)).not.toContain("hush");
  });
});
