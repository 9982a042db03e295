import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { startEmbeddedPostgres } from "./embedded";

/** Keeps a server until the process that forked this one lets go of it, or is gone. */
async function keepServer(): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), "pulumi-tenant-"));
  // As root, the server runs under another account, which must be able to enter.
  await chmod(directory, 0o755);
  const remove = () => rm(directory, { recursive: true, force: true });
  try {
    const { url, superuserUrl, stop } = await startEmbeddedPostgres({
      directory,
      report: () => undefined,
      // Speed instead of safety: nobody will miss this data.
      settings: { fsync: "off", synchronous_commit: "off", full_page_writes: "off" },
    });
    await new Promise((resolve) => {
      process.once("disconnect", resolve);
      if (process.connected) process.send?.({ url, superuserUrl });
      else resolve(undefined);
    });
    await stop();
  } finally {
    await remove();
  }
}

void keepServer().catch((error: unknown) => {
  const fault = error instanceof Error ? error.message : String(error);
  if (process.connected) process.send?.({ fault }, () => process.disconnect());
});
