/** Numbers that look random and are the same again for the same seed. */
export interface Random {
  /** A whole number from `least` up to `most`, both included. */
  readonly integer: (least: number, most: number) => number;
  readonly pick: <T>(from: readonly T[]) => T;
  /** True so many times of a hundred. */
  readonly percent: (times: number) => boolean;
  /** The same elements in another order. */
  readonly shuffle: <T>(list: readonly T[]) => T[];
}

/** @param seed a whole number; its lowest 32 bits count. */
export function seeded(seed: number): Random {
  const next = mulberry32(seed);
  const integer = (least: number, most: number) => least + Math.floor(next() * (most - least + 1));
  return {
    integer,
    pick: <T>(from: readonly T[]) => {
      const index = integer(0, from.length - 1);
      if (index >= from.length || index < 0) throw new Error("nothing to pick from");
      return from[index] as T;
    },
    percent: (times) => next() * 100 < times,
    shuffle: <T>(list: readonly T[]) =>
      list
        .map((element) => ({ element, order: next() }))
        .sort((one, other) => one.order - other.order)
        .map(({ element }) => element),
  };
}

/** Mulberry32 by Tommy Ettinger, public domain: 32 bits of state are enough for a plan. */
function mulberry32(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
