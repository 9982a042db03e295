import { Backoff } from "../../../service/pulumi/backoff";

beforeEach(() => jest.useFakeTimers());
afterEach(() => jest.useRealTimers());

/** After how many ms what just failed is due again. */
function timeUntilDue(backoff: Backoff): number {
  const since = performance.now();
  while (!backoff.isDue) jest.advanceTimersByTime(500);
  return performance.now() - since;
}

test("each failure in a row is left alone twice as long as the one before, up to a minute", () => {
  const backoff = new Backoff();
  const waits = Array.from({ length: 9 }, () => {
    backoff.failed();
    return timeUntilDue(backoff);
  });
  expect(waits).toEqual([1, 2, 4, 8, 16, 32, 60, 60, 60].map((seconds) => seconds * 1_000));
});

test("after a success it is due at once, and the next failure is a first one again", () => {
  const backoff = new Backoff();
  expect([backoff.isDue, backoff.succeeded()]).toEqual([true, false]);
  expect([backoff.failed(), backoff.failed()]).toEqual([true, false]);
  expect(backoff.isDue).toBe(false);
  expect([backoff.succeeded(), backoff.isDue]).toEqual([true, true]);
  expect(backoff.failed()).toBe(true);
  expect(timeUntilDue(backoff)).toBe(1_000);
});
