/**
 * Numbers from 0 to 1 that a seed decides, so that what failed can be tried again.
 *
 * https://en.wikipedia.org/wiki/Xorshift
 */
export function seeded(seed: number): () => number {
  let x = seed | 0 || 1;
  return () => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return (x >>> 0) / 2 ** 32;
  };
}
