import { HashesFullError } from "../system/errors";

/** How many passwords may be hashed or wait for it in one instance: a second's work of two cores. */
const MOST_AT_ONCE = 100;

let atOnce = 0;

/**
 * Hashes or verifies a password, unless too many others wait for that already: each waits for all
 * before it, with its connection and its request in memory.
 *
 * @throws HashesFullError, before anything was hashed.
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
