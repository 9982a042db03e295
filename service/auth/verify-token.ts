import { verify, type JwtPayload } from "jsonwebtoken";
import { z } from "zod";
import type { TokenSettings } from "./token-settings";

/** Why a token is refused. */
export class TokenRefusedError extends Error {
  override readonly name = "TokenRefusedError";

  constructor(readonly reason: "expired" | "invalid") {
    super(`the token is ${reason}`);
  }
}

/**
 * How far the clock of who signs may be ahead of this machine's: a token that is valid from then on is taken.
 * The end of a token has no such grace.
 */
const SKEW_S = 30;

/** A subject is a key of the database's tables, and stands in logs. OpenID Connect has 255 characters at most. */
const subject = z
  .string()
  .min(1)
  .max(255)
  .regex(/^[^\p{Cc}\p{Cs}]*$/u)
  .optional();

/**
 * Verifies a token's signature, issuer, audience and expiry, which it must have, and gives its claims. Where
 * it has a subject, that is a text of 1 to 255 characters, none of them a control character.
 *
 * @throws {@link TokenRefusedError}
 */
export type VerifyToken = (token: string) => Promise<Record<string, unknown>>;

/** Makes the verifier: jsonwebtoken, or jose where the key is Ed25519, which jsonwebtoken does not know. */
export function createVerifier(settings: TokenSettings): VerifyToken {
  const verifySigned = settings.algorithms.includes("EdDSA")
    ? verifyWithJose(settings)
    : verifyToken(settings);
  return async (token) => {
    const claims = await verifySigned(token);
    // Both libraries allow the same skew for the end as for the beginning.
    if (Number(claims.exp) * 1_000 <= Date.now()) throw new TokenRefusedError("expired");
    if (!subject.safeParse(claims.sub).success) throw new TokenRefusedError("invalid");
    return claims;
  };
}

function verifyToken({ algorithms, key, issuer, audience }: TokenSettings): VerifyToken {
  const options = {
    // Without the list a token could name its own algorithm: signed by HS256 with the text of the public key
    // as the secret, a forged one would pass.
    algorithms: algorithms.filter((name) => name !== "EdDSA" && name !== "Ed25519"),
    ...(issuer === undefined ? {} : { issuer }),
    ...(audience === undefined ? {} : { audience }),
    clockTolerance: SKEW_S,
    complete: true as const,
  };
  return (token) =>
    new Promise((resolve, reject) => {
      verify(token, key, options, (error, verified) => {
        const expired = error?.name === "TokenExpiredError";
        if (verified === undefined) {
          reject(new TokenRefusedError(expired ? "expired" : "invalid"));
          return;
        }
        const { header, payload } = verified;
        // jsonwebtoken does not require `exp`, and it ignores `crit`: RFC 7515 section 4.1.11 has a token refused
        // whose critical extensions are not understood.
        if (!isObject(payload) || typeof payload.exp !== "number" || "crit" in header) {
          reject(new TokenRefusedError("invalid"));
          return;
        }
        resolve(payload);
      });
    });
}

function isObject(payload: string | JwtPayload): payload is JwtPayload {
  return typeof payload === "object";
}

function verifyWithJose({ algorithms, key, issuer, audience }: TokenSettings): VerifyToken {
  // Loaded only where it is needed; it is an ES module, so `import()` is the only way.
  const library = import("jose");
  return async (token) => {
    const { errors, jwtVerify } = await library;
    try {
      const { payload } = await jwtVerify(token, key, {
        algorithms: [...algorithms],
        requiredClaims: ["exp"],
        clockTolerance: SKEW_S,
        ...(issuer === undefined ? {} : { issuer }),
        ...(audience === undefined ? {} : { audience }),
      });
      return payload;
    } catch (error) {
      if (!(error instanceof errors.JOSEError)) throw error;
      throw new TokenRefusedError(error instanceof errors.JWTExpired ? "expired" : "invalid");
    }
  };
}
