import type { StepEvent } from "../runs/engine-runs";
import type { Operation, Step } from "./operation";
import { saveSteps } from "./rows";

/** Writes what the engine tells of an operation's steps into its row. */
export interface StepRecorder {
  readonly note: (event: StepEvent) => void;
  /** Resolves when all that was noted is written, or cannot be. */
  readonly written: () => Promise<void>;
}

/** Events that come while a write is on its way are written together by the next. */
export function recordSteps(operation: Operation): StepRecorder {
  let steps: readonly Step[] = operation.steps;
  let saved = steps;
  let writing: Promise<void> | undefined;

  async function write(): Promise<void> {
    while (saved !== steps) {
      const latest = steps;
      // Steps tell how far it is. How it ends is written apart from them.
      await saveSteps(operation, latest).catch(() => undefined);
      saved = latest;
    }
    writing = undefined;
  }

  return {
    note({ step, status }) {
      const now = new Date().toISOString();
      steps = steps.map((known) => (known.name === step ? advance(known, status, now) : known));
      writing ??= write();
    },
    written: async () => writing,
  };
}

function advance(step: Step, status: StepEvent["status"], now: string): Step {
  const startedAt = step.startedAt ?? now;
  return status === "running"
    ? { name: step.name, status, startedAt }
    : { name: step.name, status, startedAt, endedAt: now };
}
