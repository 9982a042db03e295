import { createPublicKey, createSecretKey, type KeyObject } from "node:crypto";
import { z } from "zod";

/** How a token must be signed, and the issuer and audience that it must name. */
export interface TokenSettings {
  /** The algorithms a token may name: those of the key's type and no other. */
  readonly algorithms: readonly ("HS256" | "RS256" | "ES256" | "EdDSA" | "Ed25519")[];
  /** The secret, or the public key. */
  readonly key: KeyObject;
  /** The issuer (claim `iss`) that a token must name; undefined to check none. */
  readonly issuer: string | undefined;
  /** The audience (claim `aud`) that a token must name; undefined to check none. */
  readonly audience: string | undefined;
}

type Verification = Pick<TokenSettings, "algorithms" | "key">;

/** JWT_SECRET: RFC 7518 section 3.2 wants a key as long as the hash, 32 bytes. */
export const jwtSecret = z
  .string()
  .refine((secret) => Buffer.byteLength(secret) >= 32, "must have at least 32 bytes")
  .refine((secret) => new Set(secret).size >= 8, "must be random, not a repeated pattern");

/** JWT_PUBLIC_KEY: a PEM; its line breaks may be written as `\n`. */
export const jwtPublicKey = z.string().transform((text, context): Verification => {
  const verification = readPublicKey(text.replaceAll("\\n", "\n"));
  if (typeof verification !== "string") return verification;
  context.addIssue({ code: "custom", message: verification });
  return z.NEVER;
});

/** How tokens signed with the secret are verified. */
export function secretVerification(secret: string): Verification {
  return { algorithms: ["HS256"], key: createSecretKey(secret, "utf8") };
}

function readPublicKey(pem: string): Verification | string {
  // createPublicKey takes a private key too. The service does not need one, so it refuses to be given one.
  if (pem.includes("PRIVATE KEY")) return "holds a private key; set it to the public one";
  let key: KeyObject;
  try {
    key = createPublicKey(pem);
  } catch {
    return "is not a public key in PEM form";
  }
  const { modulusLength = 0, namedCurve } = key.asymmetricKeyDetails ?? {};
  switch (key.asymmetricKeyType) {
    case "rsa":
      if (modulusLength < 2048) return "is an RSA key of less than 2048 bits";
      return { algorithms: ["RS256"], key };
    case "ec":
      if (namedCurve !== "prime256v1") return "is an EC key on another curve than P-256";
      return { algorithms: ["ES256"], key };
    case "ed25519":
      // RFC 9864 gives EdDSA with this curve a name of its own.
      return { algorithms: ["EdDSA", "Ed25519"], key };
    default:
      return "is of a type that is not supported: use RSA, EC P-256 or Ed25519";
  }
}
