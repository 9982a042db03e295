import { z } from "zod";
import { hashPassword, isPasswordHash } from "../contract/passwords";
import { rules } from "../contract/rules";

const refused = "refused: ";

/**
 * Hashes a password inside the program, before it becomes an input of a resource: the engine logs every
 * input at `-v=9`, secrets too.
 *
 * @param account Names whose password it is: see `hashPassword`.
 * @returns the argon2id PHC string, the given one where it is one already. Of a password that breaks the
 *   rules, `refused: ` and why, which {@link sealedPassword} reports along with all other faults.
 */
export async function seal(password: string, account: string): Promise<string> {
  const parsed = rules.password.safeParse(password);
  if (!parsed.success) {
    return refused + parsed.error.issues.map(({ message }) => message).join("; ");
  }
  return isPasswordHash(parsed.data) ? parsed.data : hashPassword(parsed.data, account);
}

/** The rule for what {@link seal} returns: it must be a hash. */
export const sealedPassword = z.string().refine(isPasswordHash, {
  error: ({ input }) =>
    typeof input === "string" && input.startsWith(refused)
      ? input.slice(refused.length)
      : "must be an argon2id hash by now",
});
