import { sign, type SignOptions } from "jsonwebtoken";
import type { Permission } from "./permissions";

/** What a token says. */
export interface TokenClaims {
  readonly permissions: readonly Permission[];
  readonly subject?: string | undefined;
  readonly role?: string | undefined;
  /** `1h`, `8h`, `30m`, … from now. */
  readonly expiresIn: string;
  readonly issuer: string | undefined;
  readonly audience: string | undefined;
}

/** Signs a token with the secret, by HS256. */
export function signToken(secret: string, claims: TokenClaims): string {
  const { permissions, subject, role, expiresIn, issuer, audience } = claims;
  return sign({ permissions, ...(role === undefined ? {} : { role }) }, secret, {
    algorithm: "HS256",
    // The type knows literals only.
    expiresIn: expiresIn as NonNullable<SignOptions["expiresIn"]>,
    ...(subject === undefined ? {} : { subject }),
    ...(issuer === undefined ? {} : { issuer }),
    ...(audience === undefined ? {} : { audience }),
  });
}
