import type { Permission } from "./auth";

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
export async function signToken(secret: string, claims: TokenClaims): Promise<string> {
  // jose is an ES module only.
  const { SignJWT } = await import("jose");
  const { permissions, subject, role, expiresIn, issuer, audience } = claims;
  const token = new SignJWT({ permissions, ...(role === undefined ? {} : { role }) })
    .setProtectedHeader({ alg: "HS256" })
    .setIssuedAt()
    .setExpirationTime(expiresIn);
  if (subject !== undefined) token.setSubject(subject);
  if (issuer !== undefined) token.setIssuer(issuer);
  if (audience !== undefined) token.setAudience(audience);
  return token.sign(new TextEncoder().encode(secret));
}
