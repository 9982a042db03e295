import { setTimeout as delay } from "node:timers/promises";
import type { Query } from "../database/database";
import type { StepEvent } from "../pulumi/steps";
import type { Operation, Step } from "./store/operation";
import { saveSteps } from "./store/store";

/** Writes the progress that the engine reports into an operation's row. */
export interface StepRecorder {
  /** Takes one event of the engine; it is written soon after. */
  readonly note: (event: StepEvent) => void;
  /** Resolves when every noted event is written, or was tried to be and failed. */
  readonly written: () => Promise<void>;
}

/** How long after a write the next one begins: people do not see changes faster, and each write costs time. */
const PAUSE_MS = 100;

/**
 * Starts to record the steps of an operation. Events that come during a write, or within
 * {@link PAUSE_MS} after it, are written together. The end of the last step, or a failure, is written
 * without that pause, because the caller waits for it.
 */
export function recordSteps(query: Query, operation: Operation): StepRecorder {
  let steps: readonly Step[] = operation.steps;
  let saved = steps;
  let writing: Promise<void> | undefined;
  const ending = new AbortController();

  async function write(): Promise<void> {
    while (saved !== steps) {
      const latest = steps;
      // A lost write of steps does no harm: how the operation ends is written by store.ts, and that is retried.
      await saveSteps(query, operation, latest).catch(() => undefined);
      saved = latest;
      await delay(PAUSE_MS, undefined, { signal: ending.signal }).catch(() => undefined);
    }
    writing = undefined;
  }

  return {
    note({ tenantId, step, status }) {
      // A stack may hold several tenants, and the engine reports on the resources of all of them.
      if (tenantId !== operation.tenantId) return;
      const now = new Date().toISOString();
      steps = steps.map((known) => (known.name === step ? advance(known, status, now) : known));
      if (isOver(steps)) ending.abort();
      writing ??= write();
    },
    async written() {
      ending.abort();
      await writing;
    },
  };
}

function isOver(steps: readonly Step[]): boolean {
  return steps.at(-1)?.status === "succeeded" || steps.some(({ status }) => status === "failed");
}

function advance(step: Step, status: StepEvent["status"], now: string): Step {
  const startedAt = step.startedAt ?? now;
  return status === "running"
    ? { name: step.name, status, startedAt }
    : { name: step.name, status, startedAt, endedAt: now };
}
