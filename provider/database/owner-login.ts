import { createHash, createHmac, pbkdf2, randomBytes } from "node:crypto";
import { promisify } from "node:util";
import { Client, type ClientBase } from "pg";
import { pgConfig } from "./client-config";
import type { ConnectionSettings } from "./settings";

/** How long after it was made a password can be used. A session that was opened with it lasts on. */
const LOGIN_LIFE = "5 minutes";

/** How long an answer to an owner may take: a view that a migration left may take as long as it likes. */
const ANSWER_LIMIT_MS = 60_000;

/**
 * Lets a role log in by a new random password, from now on for a few minutes. An earlier password of it is
 * void, so the caller holds the lock on the role's schema.
 *
 * @returns the settings with which the role logs in.
 */
export async function openLogin(
  client: ClientBase,
  settings: ConnectionSettings,
  role: string,
): Promise<ConnectionSettings> {
  const password = randomBytes(32).toString("base64url");
  const { rows } = await client.query<{ until: string }>(
    "select (clock_timestamp() + $1::interval)::text as until",
    [LOGIN_LIFE],
  );
  const [verifier, until] = [await scramVerifier(password), rows[0]?.until ?? ""].map((text) =>
    client.escapeLiteral(text),
  );
  await client.query(
    `alter role ${client.escapeIdentifier(role)} login password ${verifier} valid until ${until}`,
  );
  return { ...settings, user: role, password };
}

/**
 * Takes the login from a role again, and ends the sessions that it still has: while a migration ran, it may
 * have changed the password to one that somebody else knows.
 */
export async function closeLogin(client: ClientBase, role: string): Promise<void> {
  await client.query(`alter role ${client.escapeIdentifier(role)} nologin password null`);
  await client.query("select pg_terminate_backend(pid) from pg_stat_activity where usename = $1", [
    role,
  ]);
}

/** Runs `work` on a connection made with these settings, for reading what the owner has left in its schema. */
export async function asOwner<T>(
  settings: ConnectionSettings,
  work: (owner: ClientBase) => Promise<T>,
): Promise<T> {
  const owner = new Client({
    ...pgConfig(settings),
    statement_timeout: ANSWER_LIMIT_MS,
    query_timeout: ANSWER_LIMIT_MS,
  });
  // Its statement fails then, which is all that matters.
  owner.on("error", () => undefined);
  await owner.connect();
  try {
    return await work(owner);
  } finally {
    await owner.end();
  }
}

/**
 * What PostgreSQL stores of a password. It is computed here because the server may log the statement that
 * sets it: https://www.postgresql.org/docs/current/catalog-pg-authid.html and RFC 5803.
 */
async function scramVerifier(password: string): Promise<string> {
  const [rounds, salt] = [4096, randomBytes(16)];
  const salted = await promisify(pbkdf2)(password, salt, rounds, 32, "sha256");
  const keyed = (text: string) => createHmac("sha256", salted).update(text).digest();
  const stored = createHash("sha256").update(keyed("Client Key")).digest("base64");
  const server = keyed("Server Key").toString("base64");
  return `SCRAM-SHA-256$${rounds}:${salt.toString("base64")}$${stored}:${server}`;
}
