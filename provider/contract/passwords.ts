import { createHash } from "node:crypto";
import { availableParallelism } from "node:os";
import * as argon2 from "argon2";
import { Semaphore } from "async-mutex";

/** OWASP's minimum for argon2id: 19 MiB, two passes, one lane. */
const cost = { memoryCost: 19 * 1024, timeCost: 2, parallelism: 1 } as const;

// Hashes fill Node's thread pool, where DNS and files wait too: no more at once than there are cores.
const turns = new Semaphore(Math.min(availableParallelism(), 4));

/**
 * Hashes a password, at OWASP's minimum cost, into an argon2id PHC string.
 *
 * @param account Who it is for, in words that name no other account in the world. The salt is made
 * from them, so the same password of the same account gives the same text and a stack sees no
 * change. A salt has to be unique, not secret (RFC 9106, section 3.1).
 */
export async function hashPassword(password: string, account: string): Promise<string> {
  const salt = createHash("sha256").update(`pulumi-tenant ${account}`).digest().subarray(0, 16);
  return turns.runExclusive(() => argon2.hash(password, { ...cost, salt }));
}

/** Tells whether the hash, one of {@link hashPassword}, is of this password. */
export async function verifyPassword(hash: string, password: string): Promise<boolean> {
  return turns.runExclusive(() => argon2.verify(hash, password));
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
