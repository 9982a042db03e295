import { verify, type JwtPayload } from "jsonwebtoken";
import type { TokenSettings } from "./token-settings";

/** Why a token is refused. */
export class TokenRefusedError extends Error {
  override readonly name = "TokenRefusedError";

  constructor(readonly reason: "expired" | "invalid") {
    super(`the token is ${reason}`);
  }
}

/**
 * Verifies a token's signature, issuer, audience and expiry, which it must have, and gives its claims.
 *
 * @throws {@link TokenRefusedError}
 */
export type VerifyToken = (token: string) => Promise<Record<string, unknown>>;

/** Makes the verifier: jsonwebtoken, or jose where the key is Ed25519, which jsonwebtoken does not know. */
export function createVerifier(settings: TokenSettings): VerifyToken {
  return settings.algorithms.includes("EdDSA") ? verifyWithJose(settings) : verifyToken(settings);
}

function verifyToken({ algorithms, key, issuer, audience }: TokenSettings): VerifyToken {
  const options = {
    // Without the list a token could name its own algorithm: signed by HS256 with the text of the public key
    // as the secret, a forged one would pass.
    algorithms: algorithms.filter((name) => name !== "EdDSA" && name !== "Ed25519"),
    ...(issuer === undefined ? {} : { issuer }),
    ...(audience === undefined ? {} : { audience }),
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
