import { createHash } from "node:crypto";
import { availableParallelism } from "node:os";
import * as argon2 from "argon2";
import { Semaphore } from "async-mutex";

/** OWASP's minimum for argon2id: 19 MiB, two passes, one lane. */
const cost = { memoryCost: 19 * 1024, timeCost: 2, parallelism: 1 } as const;

// Hashes run in Node's thread pool, which has four threads and also serves DNS and files: without a limit
// those would wait for hashes. More hashes at once than there are cores would not be faster.
const slots = new Semaphore(Math.min(availableParallelism(), 4));

/**
 * Hashes a password, at OWASP's minimum cost, into an argon2id PHC string.
 *
 * @param account A text that names this account and no other in the world. The salt is made from it, so
 *   that the same password of the same account always gives the same hash, and a stack shows no change. A
 *   salt has to be unique, not secret (RFC 9106, section 3.1).
 * @returns `$argon2id$v=19$m=19456,t=2,p=1$…`.
 */
export async function hashPassword(password: string, account: string): Promise<string> {
  const salt = createHash("sha256").update(`pulumi-tenant ${account}`).digest().subarray(0, 16);
  return slots.runExclusive(() => argon2.hash(password, { ...cost, salt }));
}

/** Tells whether this password has this hash, which {@link hashPassword} made. */
export async function verifyPassword(hash: string, password: string): Promise<boolean> {
  return slots.runExclusive(() => argon2.verify(hash, password));
}

/**
 * Tells whether the text is an argon2id PHC string, with its version, cost, salt and hash.
 * One of so high a cost that a login would hang (10 GiB or 1,000 passes and more) is refused.
 */
export function isPasswordHash(text: string): boolean {
  const [, cost] =
    /^\$argon2id\$v=19\$([^$]+)\$[A-Za-z0-9+/]{11,86}\$[A-Za-z0-9+/]{22,171}$/.exec(text) ?? [];
  // The package writes m,p,t; the reference implementation m,t,p.
  return /^m=\d{1,7},(t=\d{1,3},p=\d{1,3}|p=\d{1,3},t=\d{1,3})$/.test(cost ?? "");
}
