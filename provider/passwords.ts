import { availableParallelism } from "node:os";
import * as argon2 from "argon2";
import { Semaphore } from "async-mutex";

/** OWASP's minimum for argon2id: 19 MiB, two passes, one lane. */
const cost = { memoryCost: 19 * 1024, timeCost: 2, parallelism: 1 } as const;

// Hashes fill Node's thread pool, where DNS and files wait too: no more at once than there are cores.
const turns = new Semaphore(Math.min(availableParallelism(), 4));

/** Hashes a password, at OWASP's minimum cost, into an argon2id PHC string. */
export async function hashPassword(password: string): Promise<string> {
  return turns.runExclusive(() => argon2.hash(password, cost));
}

/** Tells whether `password` is the one that `hash`, an argon2 PHC string, was made from. */
export async function isPassword(hash: string, password: string): Promise<boolean> {
  return turns.runExclusive(() => argon2.verify(hash, password).catch(() => false));
}

/**
 * Tells whether the text is an argon2id PHC string, with its version, cost, salt and hash.
 * A cost that would stall a login (10 GiB and more, 1,000 passes and more) is none.
 */
export function isPasswordHash(text: string): boolean {
  const [, cost] =
    /^\$argon2id\$v=19\$([^$]+)\$[A-Za-z0-9+/]{11,86}\$[A-Za-z0-9+/]{22,171}$/.exec(text) ?? [];
  // The package writes m,p,t; the reference implementation m,t,p.
  return /^m=\d{1,7},(t=\d{1,3},p=\d{1,3}|p=\d{1,3},t=\d{1,3})$/.test(cost ?? "");
}
