import { once } from "node:events";
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

import { type EmbeddedPostgres, startEmbeddedPostgres } from "./embedded";

/** What the process that forked this one can send to it: take the server down and start it again. */
export interface Restart {
  readonly how: "stop" | "crash";
  /** How long it stays down. */
  readonly awayMs: number;
}

/** Runs a server until the process that forked this one disconnects its IPC channel or ends. */
async function keepServer(settings: Readonly<Record<string, string>>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), "pulumi-tenant-"));
  // For root, the server runs as the account `postgres`, which must be able to enter this folder.
  await chmod(directory, 0o755);
  const start = () => startEmbeddedPostgres({ directory, report: () => undefined, settings });
  let server: EmbeddedPostgres | undefined;
  try {
    server = await start();
    const { url, superuserUrl } = server;
    const left = once(process, "disconnect").then(() => undefined);
    const answer = () => process.connected && process.send?.({ url, superuserUrl });
    if (answer() === false) return;
    for (;;) {
      const asked = await Promise.race([once(process, "message") as Promise<[Restart]>, left]);
      if (asked === undefined) return;
      const [{ how, awayMs }] = asked;
      const running: EmbeddedPostgres = server;
      server = undefined;
      await running[how]();
      await delay(awayMs);
      server = await start();
      // Those who use the server have its old URL, and nobody can give them another.
      if (server.url !== url) throw new Error("its port was taken while it was away");
      answer();
    }
  } finally {
    await server?.stop();
    await rm(directory, { recursive: true, force: true });
  }
}

void keepServer(JSON.parse(process.argv[2] ?? "{}") as Record<string, string>).catch(
  (error: unknown) => {
    const problem = error instanceof Error ? error.message : String(error);
    if (process.connected) process.send?.({ problem }, () => process.disconnect());
  },
);
