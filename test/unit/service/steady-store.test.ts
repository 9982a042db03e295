import { SteadyStore } from "../../../service/http/steady-store";

const HOURS = 3 * 3_600_000;

afterEach(() => {
  jest.restoreAllMocks();
});

/** Sets the wall clock; the one that measures time goes on. */
function shiftClock(by: number): void {
  const now = Date.now.bind(Date);
  jest.spyOn(Date, "now").mockImplementation(() => now() + by);
}

test("counts each caller's requests apart", () => {
  const store = new SteadyStore(60_000);
  const hits = ["a", "b", "a", "a"].map((key) => store.increment(key).totalHits);
  expect(hits).toEqual([1, 1, 2, 3]);
});

test.each([
  ["set back", -HOURS],
  ["set forward", HOURS],
])("a clock that is %s neither ends a window nor makes it longer", (_how, by) => {
  const store = new SteadyStore(300);
  const begin = performance.now();
  const measured = jest.spyOn(performance, "now").mockReturnValue(begin);
  store.increment("a");
  shiftClock(by);
  const { totalHits, resetTime } = store.increment("a");
  expect(totalHits).toBe(2);
  const left = (resetTime?.getTime() ?? 0) - Date.now();
  expect(left).toBeGreaterThan(-1);
  expect(left).toBeLessThanOrEqual(300);
  measured.mockReturnValue(begin + 299);
  expect(store.increment("a").totalHits).toBe(3);
  measured.mockReturnValue(begin + 300);
  expect(store.increment("a").totalHits).toBe(1);
});
