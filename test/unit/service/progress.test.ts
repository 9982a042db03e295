import timers from "node:timers/promises";
import type { Operation, Step } from "../../../service/operations/store/operation";
import type { StepEvent } from "../../../service/pulumi/steps";
import { recordSteps } from "../../../service/operations/progress";

/** Has each pause last until it is cut short. @returns what was written, and lets a pause end. */
function record(names: readonly string[]) {
  const pauses: (() => void)[] = [];
  jest.spyOn(timers, "setTimeout").mockImplementation(
    (_ms, _value, { signal } = {}) =>
      new Promise((resolve, reject) => {
        pauses.push(() => resolve(undefined));
        const cut = () => reject(new Error("aborted"));
        if (signal?.aborted) cut();
        signal?.addEventListener("abort", cut);
      }),
  );
  const saved: string[] = [];
  const query = (_sql: string, values: readonly unknown[] = []) => {
    const steps = values.find((value): value is string => String(value).startsWith("[")) ?? "[]";
    saved.push((JSON.parse(steps) as Step[]).map(({ status }) => status).join(" "));
    return Promise.resolve([]);
  };
  const steps = names.map((name) => ({ name, status: "pending" }));
  const operation = { id: "1", tenantId: "acme", steps } as unknown as Operation;
  return { recorder: recordSteps(query, operation), saved, pauses };
}

/** Lets all go on that waits for nothing but its turn. */
const settle = () => new Promise((resolve) => setImmediate(resolve));

const event = (step: StepEvent["step"], status: StepEvent["status"], tenantId = "acme") => ({
  ...{ tenantId, step, status },
});

afterEach(() => jest.restoreAllMocks());

test("what comes soon after a write is written together, once its pause is over", async () => {
  const { recorder, saved, pauses } = record(["record", "schema", "membership"]);
  recorder.note(event("record", "running"));
  await settle();
  expect(saved).toEqual(["running pending pending"]);
  recorder.note(event("record", "succeeded"));
  recorder.note(event("schema", "running"));
  await settle();
  expect(saved).toHaveLength(1);
  pauses.shift()?.();
  await settle();
  expect(saved.slice(1)).toEqual(["succeeded running pending"]);
});

test.each([
  ["a failure of any step", "record", "failed", "failed pending"],
  ["the end of the last step", "membership", "succeeded", "running succeeded"],
] as const)("%s is written without a pause", async (_what, step, status, written) => {
  const { recorder, saved } = record(["record", "membership"]);
  recorder.note(event("record", "running"));
  await settle();
  recorder.note(event(step, status));
  await settle();
  expect(saved).toEqual(["running pending", written]);
});

test("what the engine reports of another tenant of the stack is not the operation's", async () => {
  const { recorder, saved } = record(["record"]);
  recorder.note(event("record", "failed", "other"));
  await recorder.written();
  expect(saved).toEqual([]);
});

test("whoever waits for all to be written waits for no pause", async () => {
  const { recorder, saved } = record(["record", "membership"]);
  recorder.note(event("record", "running"));
  await settle();
  recorder.note(event("record", "succeeded"));
  await recorder.written();
  expect(saved).toEqual(["running pending", "succeeded pending"]);
});
