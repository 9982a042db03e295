import { sign, type SignOptions } from "jsonwebtoken";
import type { Permission } from "./permissions";

/** The claims of a token that this service signs. */
export interface TokenClaims {
  readonly permissions: readonly Permission[];
  readonly subject?: string | undefined;
  readonly role?: string | undefined;
  /** How long it is valid from now: `30m`, `1h`, `8h`. */
  readonly expiresIn: string;
  readonly issuer: string | undefined;
  readonly audience: string | undefined;
}

/** Signs a token with the secret, by HS256. */
export function signToken(secret: string, claims: TokenClaims): string {
  const { permissions, subject, role, expiresIn, issuer, audience } = claims;
  return sign({ permissions, ...(role === undefined ? {} : { role }) }, secret, {
    algorithm: "HS256",
    // The library's type takes literals only, such as "1h".
    expiresIn: expiresIn as NonNullable<SignOptions["expiresIn"]>,
    ...(subject === undefined ? {} : { subject }),
    ...(issuer === undefined ? {} : { issuer }),
    ...(audience === undefined ? {} : { audience }),
  });
}
