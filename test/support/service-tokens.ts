import type { KeyObject } from "node:crypto";
import type { JWTPayload } from "jose" with { "resolution-mode": "import" };

/** The secret that the services under test verify tokens with. */
export const testSecret = "a-secret-of-the-tests-0123456789-abcdef";

/** What {@link signed} signs unless told otherwise. */
export interface TokenOptions {
  readonly claims?: JWTPayload;
  /** Default: HS256 with the tests' secret. */
  readonly algorithm?: string;
  readonly key?: KeyObject | Uint8Array;
  /** Seconds from now; null for a token without an end. Default: 60. */
  readonly expiresIn?: number | null;
}

/** Really signs a token. */
export async function signed({
  claims = { permissions: ["CREATE_TENANT", "VIEW_TENANTS"] },
  algorithm = "HS256",
  key = Buffer.from(testSecret),
  expiresIn = 60,
}: TokenOptions = {}): Promise<string> {
  const { SignJWT } = await import("jose");
  const token = new SignJWT(claims).setProtectedHeader({ alg: algorithm });
  if (expiresIn !== null) token.setExpirationTime(Math.floor(Date.now() / 1000) + expiresIn);
  return token.sign(key);
}

/** A token with any header and any signature, as a forger puts it together. */
export function forged(header: object, claims: object, signature = ""): string {
  const parts = [header, claims].map((part) =>
    Buffer.from(JSON.stringify(part)).toString("base64url"),
  );
  return [...parts, signature].join(".");
}
