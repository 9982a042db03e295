import { randomBytes } from "node:crypto";
import { open, readFile, rename } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";

import { z } from "zod";

import { SetUpError } from "../../scripts/tool.cjs";

const credentials = z.strictObject({
  port: z.int().min(1).max(65_535),
  superuserPassword: z.string().min(1),
  ownerPassword: z.string().min(1),
});

/** What is needed to log in to an embedded server. The port is kept from start to start, so URLs stay valid. */
export type Credentials = z.infer<typeof credentials>;

/**
 * Reads the credentials of a server's directory; undefined when there are none.
 *
 * @throws {SetUpError} when the file holds something else
 */
export async function readCredentials(directory: string): Promise<Credentials | undefined> {
  let text;
  try {
    text = await readFile(fileIn(directory), "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  try {
    return credentials.parse(JSON.parse(text));
  } catch {
    throw new SetUpError(
      `${fileIn(directory)} is damaged: put it back, or remove ${directory}, and its data with it`,
    );
  }
}

/** Makes random passwords, and picks a port that is free now. */
export async function newCredentials(): Promise<Credentials> {
  return {
    port: await freePort(),
    superuserPassword: randomBytes(24).toString("hex"),
    ownerPassword: randomBytes(24).toString("hex"),
  };
}

/** Writes the file so that only this account can read it, and so that it is never half written. */
export async function writeCredentials(directory: string, content: Credentials): Promise<void> {
  const half = `${fileIn(directory)}.new`;
  const file = await open(half, "w", 0o600);
  try {
    await file.chmod(0o600);
    await file.writeFile(JSON.stringify(content));
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(half, fileIn(directory));
}

function fileIn(directory: string): string {
  return join(directory, "credentials.json");
}

/**
 * A port of 127.0.0.1 that nothing listens on.
 *
 * @throws Error when there is none
 */
export async function freePort(): Promise<number> {
  const port = await tryPort(0);
  if (port === undefined) throw new Error("no free port on the loopback address");
  return port;
}

/** Whether a server could listen on this port of 127.0.0.1 now. */
export async function isFree(port: number): Promise<boolean> {
  return (await tryPort(port)) !== undefined;
}

function tryPort(port: number): Promise<number | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(undefined));
    server.listen(port, "127.0.0.1", () => {
      const address = server.address();
      const got = typeof address === "object" ? address?.port : undefined;
      server.close(() => resolve(got));
    });
  });
}
