import { chmodSync, chownSync, writeFileSync } from "node:fs";
import path from "node:path";
import { Client } from "pg";
import { tryDatabase } from "../../../engine/doctor/database";
import { serverAccount } from "../../../engine/postgres/account";
import { startEmbeddedPostgres, type EmbeddedPostgres } from "../../../engine/postgres/embedded";
import { runDbmate } from "../../../provider/database/dbmate-process";
import { tenantMigrationsDir } from "../../../provider/database/migrations";
import { withConnection } from "../../../provider/database/pool";
import { parseDatabaseUrl, type ConnectionSettings } from "../../../provider/database/settings";
import { makeAuthority, type Authority, type CertificateFiles } from "../../support/certificates";
import { cleanUpServices, temporaryFolder } from "../../support/service-process";
import { startPlugin, type PluginProcess } from "../standins/plugin-process";
import { ProviderClient } from "../standins/provider-client";

/** An address that is not taken for this machine's own, although its connections come here. */
const elsewhere = "0.0.0.0";

let server: EmbeddedPostgres;
let plugin: PluginProcess;
let ours: Authority;
let theirs: Authority;
let person: CertificateFiles;

beforeAll(async () => {
  const folder = temporaryFolder("tls-");
  // As root, the server runs under another account, which must be able to enter.
  chmodSync(folder, 0o755);
  ours = makeAuthority(folder, "ours");
  theirs = makeAuthority(folder, "theirs");
  person = ours.sign("person");
  const { cert, key } = ours.sign(elsewhere);
  const access = path.join(folder, "pg_hba.conf");
  writeFileSync(
    access,
    `hostssl all known 0.0.0.0/0 scram-sha-256 clientcert=verify-ca
    host all known 0.0.0.0/0 reject
    host all all 0.0.0.0/0 scram-sha-256\n`,
  );
  const account = await serverAccount();
  const files = [cert, key, access, ours.ca];
  if (account) for (const file of files) chownSync(file, account.uid, account.gid);
  server = await startEmbeddedPostgres({
    directory: path.join(folder, "data"),
    report: () => undefined,
    settings: {
      ...{ fsync: "off", ssl: "on", ssl_cert_file: cert, ssl_key_file: key },
      ...{ ssl_ca_file: ours.ca, hba_file: access },
    },
  });
  await asSuperuser("create role known superuser login password 'a-password'");
  plugin = await startPlugin("postgresql/main.js");
});
afterAll(async () => {
  await plugin.stop();
  await server.stop();
  await cleanUpServices();
});

async function asSuperuser(statement: string): Promise<void> {
  const client = new Client(server.superuserUrl);
  await client.connect();
  await client.query(statement).finally(() => client.end());
}

/** The server's URL, with this host and these parameters, as a role that needs no certificate. */
function settings(host: string, parameters: Record<string, string> = {}, user?: string) {
  const url = new URL(server.superuserUrl);
  url.hostname = host;
  url.search = new URLSearchParams(parameters).toString();
  if (user !== undefined) Object.assign(url, { username: user, password: "a-password" });
  return parseDatabaseUrl(url.href, "DATABASE_URL");
}

let count = 0;

/** What connects to a database, and how each does it by itself: rejects with what it says of a failure. */
const clients: [string, (settings: ConnectionSettings) => Promise<unknown>][] = [
  ["pg", (database) => withConnection(database, (client) => client.query("select"))],
  [
    "dbmate",
    async (database) => {
      const watcher = new Client(server.superuserUrl);
      await watcher.connect();
      const schemaName = `dbmate_${++count}`;
      const directory = tenantMigrationsDir;
      const run = { command: "migrate" as const, settings: database, schemaName, directory };
      const fault = await runDbmate(run, watcher).finally(() => watcher.end());
      if (fault !== undefined) throw new Error(fault.message);
    },
  ],
  [
    "the stand-in for the plugin",
    async ({ port, user, password = "", sslcert, sslkey, sslrootcert, ...rest }) => {
      const client = new ProviderClient(plugin.address);
      const certificate = JSON.stringify({ cert: sslcert, key: sslkey });
      await client.configure({
        ...{ host: rest.host, port: String(port), username: user, password },
        ...{ database: rest.database, sslmode: rest.sslmode },
        ...(sslrootcert === undefined ? {} : { sslrootcert }),
        ...(sslcert === undefined ? {} : { clientcert: certificate }),
      });
      const { error } = await client.create({ name: `schema_${++count}` });
      client.close();
      if (error !== undefined) throw new Error(JSON.stringify(error));
    },
  ],
];

/** What each says of a server that it does not trust. */
const distrust = /certificate of 0\.0\.0\.0 is not trusted|certificate signed by unknown authority/;

describe.each(clients)("%s, to another machine,", (_, connect) => {
  test("checks by itself who answers, against the authority of the network's own", async () => {
    await connect(settings(elsewhere, { sslrootcert: ours.ca }));
  });

  test("says in plain words that another authority's server is not trusted", async () => {
    const mistaken = settings(elsewhere, { sslrootcert: theirs.ca });
    await expect(connect(mistaken)).rejects.toThrow(distrust);
    await expect(connect(settings(elsewhere))).rejects.toThrow(distrust);
  });

  test("checks the host's name with verify-full, and the authority alone with verify-ca", async () => {
    const named = { sslrootcert: ours.ca, sslmode: "verify-full" };
    await expect(connect(settings("localhost", named))).rejects.toThrow(/localhost/);
    await connect(settings("localhost", { ...named, sslmode: "verify-ca" }));
    const mistaken = { sslrootcert: theirs.ca, sslmode: "verify-ca" };
    await expect(connect(settings(elsewhere, mistaken))).rejects.toThrow(distrust);
  });

  test.each(["require", "disable"])("takes sslmode=%s at its word", async (sslmode) => {
    await connect(settings(elsewhere, { sslmode }));
  });

  test("with require checks the authority that is named, as libpq does", async () => {
    const mistaken = { sslrootcert: theirs.ca, sslmode: "require" };
    await expect(connect(settings(elsewhere, mistaken))).rejects.toThrow(distrust);
  });

  test("shows its own certificate to a server that asks for one", async () => {
    const known = { sslrootcert: ours.ca, sslcert: person.cert, sslkey: person.key };
    await connect(settings(elsewhere, known, "known"));
    const unknown = settings(elsewhere, { sslrootcert: ours.ca }, "known");
    await expect(connect(unknown)).rejects.toThrow("valid client certificate");
  });
});

describe("the doctor", () => {
  const problemOf = async (host: string, parameters: Record<string, string>) => {
    const url = new URL(server.superuserUrl);
    url.hostname = host;
    url.search = new URLSearchParams(parameters).toString();
    return (await tryDatabase({ DATABASE_URL: url.href })).problem;
  };

  test("connects as the service does, where pg by itself would not", async () => {
    expect(await problemOf(elsewhere, { sslmode: "require" })).toBeUndefined();
    const named = { sslrootcert: ours.ca, sslmode: "verify-ca" };
    expect(await problemOf("localhost", named)).toBeUndefined();
  });

  test("says what to do about a server that is not trusted, and of a mode that is not taken", async () => {
    expect(await problemOf(elsewhere, {})).toMatch(distrust);
    const named = { sslrootcert: ours.ca, sslmode: "verify-full" };
    expect(await problemOf("localhost", named)).toContain("set sslmode=verify-ca");
    expect(await problemOf(elsewhere, { sslmode: "prefer" })).toContain(
      "DATABASE_URL has sslmode=prefer",
    );
  });
});
