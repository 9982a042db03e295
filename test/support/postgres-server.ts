import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { startEmbeddedPostgres } from "../../engine/postgres/embedded";

/**
 * The server of one test run, in a process of its own that outlives Jest just long enough to stop
 * the server and remove its files, even when Jest was killed. It sends its superuser's URL.
 */
async function serve(): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), "pulumi-tenant-test-"));
  // As root, the server runs under another account, which must be able to enter.
  await chmod(directory, 0o755);
  const server = await startEmbeddedPostgres({
    directory,
    report: () => undefined,
    // Speed instead of safety: nobody will miss this data.
    settings: { fsync: "off", synchronous_commit: "off", full_page_writes: "off" },
  });
  const finish = () => {
    void server
      .stop()
      .then(() => rm(directory, { recursive: true, force: true }))
      .then(() => process.exit(0));
  };
  process.once("disconnect", finish);
  if (process.connected) process.send?.(server.superuserUrl);
  else finish();
}

void serve();
