import { once } from "node:events";
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

import { type EmbeddedPostgres, startEmbeddedPostgres } from "./embedded";

/** What the process that forked this one may ask for: the server goes down, and comes back. */
export interface Restart {
  readonly how: "stop" | "crash";
  /** How long it is away, in ms. */
  readonly away: number;
}

/** Keeps a server until the process that forked this one lets go of it, or is gone. */
async function keepServer(settings: Readonly<Record<string, string>>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), "pulumi-tenant-"));
  // As root, the server runs under another account, which must be able to enter.
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
      const [{ how, away }] = asked;
      const running: EmbeddedPostgres = server;
      server = undefined;
      await running[how]();
      await delay(away);
      server = await start();
      // Whoever uses it knows the old address only.
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
    const fault = error instanceof Error ? error.message : String(error);
    if (process.connected) process.send?.({ fault }, () => process.disconnect());
  },
);
