/** The program host: a process that is given one engine run at a time. */
import { worker, workerEmit } from "workerpool";
import { pulumiCommand } from "./cli";
import { openDatabase } from "../database/database";
import type { RunRequest } from "./engine-runs";
import { beginUp, type BegunUp, type UpStart } from "./up";

// The SDK records a stack trace for each promise and resource that it makes, and nobody reads them here. At
// full length they take a tenth of the host's time.
Error.stackTraceLimit = 2;

const { DATABASE_URL = "", TENANT_MIGRATIONS_DIR: migrationsDir = "" } = process.env;
const { query } = openDatabase(DATABASE_URL);

let current: BegunUp | undefined;

worker({
  /** Begins a run, which then waits for its request. Returns the host's process id. */
  begin(start: UpStart): number {
    current = beginUp(query, migrationsDir, start);
    return process.pid;
  },
  /** Gives the run its request, or null, with which it ends without changes. Resolves with how it ended. */
  finish(request: RunRequest | null) {
    const run = current;
    current = undefined;
    return run?.finish(request ?? undefined, {
      // A run that has its tenants may have changed something, so the service must not simply begin it again.
      reached: () => workerEmit({ reached: process.pid }),
      step: (step) => workerEmit({ step }),
    });
  },
});

// Looks the CLI up before the first run needs it. Where this fails, that run fails with the reason.
pulumiCommand().catch(() => undefined);
