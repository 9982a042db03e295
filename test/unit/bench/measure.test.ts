import {
  inARow,
  onceASecond,
  percentile,
  summarise,
  together,
} from "../../../bench/measure/samples";

describe("samples", () => {
  it("come to a median, a least and a most, in whatever order they were taken", () => {
    expect(summarise([30, 10, 20])).toEqual({ count: 3, median: 20, min: 10, max: 30 });
    expect(summarise([4, 1, 3, 2]).median).toBe(2.5);
    expect(summarise([7])).toEqual({ count: 1, median: 7, min: 7, max: 7 });
  });

  it("are not reordered for their owner", () => {
    const samples = [3, 1, 2];
    summarise(samples);
    expect(samples).toEqual([3, 1, 2]);
  });

  it("have percentiles in a straight line between two neighbours", () => {
    const samples = Array.from({ length: 101 }, (_, i) => i);
    expect(percentile(samples, 0.95)).toBe(95);
    expect(percentile([0, 10], 0.95)).toBeCloseTo(9.5);
  });

  it("are needed", () => {
    expect(() => summarise([])).toThrow("there are no samples");
  });
});

describe("work", () => {
  /** Work that counts how often it was begun, and how often it was under way at once. */
  function counted() {
    const seen = { begun: 0, most: 0 };
    let now = 0;
    const work = async () => {
      seen.begun += 1;
      seen.most = Math.max(seen.most, ++now);
      await new Promise(setImmediate);
      now -= 1;
      return seen.begun;
    };
    return { seen, work };
  }

  it("in a row is never under way twice", async () => {
    const { seen, work } = counted();
    expect(await inARow(5, work)).toHaveLength(5);
    expect(seen).toEqual({ begun: 5, most: 1 });
  });

  it("together is done just as often as asked for, and so many at once", async () => {
    const { seen, work } = counted();
    expect(await together(10, 4, work)).toHaveLength(10);
    expect(seen).toEqual({ begun: 10, most: 4 });
  });

  it("none of which is left is no work", async () => {
    const { seen, work } = counted();
    expect(await together(0, 4, work)).toEqual([]);
    expect(seen.begun).toBe(0);
  });

  it("at a pace begins while what began before still runs", async () => {
    const ends: (() => void)[] = [];
    const works = onceASecond(2, () => {
      const work = new Promise<void>((resolve) => ends.push(resolve));
      if (ends.length === 2) ends.forEach((end) => end());
      return work;
    });
    expect(await works).toHaveLength(2);
  });

  it("at a pace that fails is told, whatever began after it", async () => {
    let turn = 0;
    const works = onceASecond(2, () =>
      turn++ === 0 ? Promise.reject(new Error("the first")) : Promise.resolve(),
    );
    await expect(works).rejects.toThrow("the first");
    expect(turn).toBe(2);
  });
});
