import { HashesFullError } from "../system/errors";

/** How many passwords may be hashed, or wait to be, in one instance: about a second's work on two cores. */
const MOST_AT_ONCE = 100;

let atOnce = 0;

/**
 * Hashes or verifies a password, unless too many others wait for that already. Each one that waits
 * keeps its connection open and its request in memory, so an unlimited number could fill the memory.
 *
 * @throws {@link HashesFullError} before `hash` is called.
 */
export async function hashInTurn<T>(hash: () => Promise<T>): Promise<T> {
  if (atOnce >= MOST_AT_ONCE) throw new HashesFullError();
  atOnce += 1;
  try {
    return await hash();
  } finally {
    atOnce -= 1;
  }
}
