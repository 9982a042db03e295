import { setTimeout as delay } from "node:timers/promises";
import type { Query } from "../database/database";
import type { StepEvent } from "../pulumi/steps";
import type { Operation, Step } from "./store/operation";
import { saveSteps } from "./store/store";

/** Writes what the engine tells of an operation's steps into its row. */
export interface StepRecorder {
  readonly note: (event: StepEvent) => void;
  /** Resolves when all that was noted is written, or cannot be. */
  readonly written: () => Promise<void>;
}

/** After how many ms the next write begins: who watches sees no more, and each costs time. */
const PAUSE_MS = 100;

/**
 * Events that come while a write is on its way, or shortly after, are written together by the next. The
 * end of the last step waits for nothing: its caller does.
 */
export function recordSteps(query: Query, operation: Operation): StepRecorder {
  let steps: readonly Step[] = operation.steps;
  let saved = steps;
  let writing: Promise<void> | undefined;
  const ending = new AbortController();

  async function write(): Promise<void> {
    while (saved !== steps) {
      const latest = steps;
      // Steps tell how far it is. How it ends is written apart from them.
      await saveSteps(query, operation, latest).catch(() => undefined);
      saved = latest;
      await delay(PAUSE_MS, undefined, { signal: ending.signal }).catch(() => undefined);
    }
    writing = undefined;
  }

  return {
    note({ tenantId, step, status }) {
      // The stack may hold other tenants, whose resources the engine looks at too.
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
