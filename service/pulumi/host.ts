/** The program host: a process that is given one engine run at a time. */
import { worker, workerEmit } from "workerpool";
import { pulumiCommand } from "./cli";
import { openDatabase } from "../database/database";
import type { RunRequest } from "./engine-runs";
import { beginUp, type BegunUp, type UpStart } from "./up";

// The SDK takes a stack for each promise and resource that it makes, and nobody reads them here: whole
// ones are a tenth of the host's time.
Error.stackTraceLimit = 2;

const { query } = openDatabase(process.env.DATABASE_URL ?? "");

let current: BegunUp | undefined;

worker({
  /** Begins a run, and leaves it waiting for its tenant. */
  begin(start: UpStart): number {
    current = beginUp(query, start);
    return process.pid;
  },
  /** Gives the run what its stack is to hold, or nothing, which ends it well; resolves with how it ended. */
  finish(request: RunRequest | null) {
    const run = current;
    current = undefined;
    return run?.finish(request ?? undefined, {
      // A run that has its tenant must not be begun by another host.
      reached: () => workerEmit({ reached: process.pid }),
      step: (step) => workerEmit({ step }),
    });
  },
});

// Ahead of the first run, which finds out by itself when this fails.
pulumiCommand().catch(() => undefined);
