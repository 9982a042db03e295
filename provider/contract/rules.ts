import { z } from "zod";
import { isPasswordHash } from "./passwords";

/** Slugs that could be mistaken for addresses of the product itself. */
const reservedSlugs = new Set(
  "admin api app assets auth blog cdn dashboard docs help login logout mail public root setup static status support system tenant tenants www".split(
    " ",
  ),
);

/** The passwords of at least 8 characters that are guessed first; compared in lower case. */
const commonPasswords = new Set(
  (
    "password password1 password12 password123 password1234 passw0rd p@ssw0rd p@ssword 12345678 123456789 " +
    "1234567890 0123456789 987654321 87654321 11111111 00000000 88888888 12341234 11223344 123123123 " +
    "qwertyui qwertyuiop qwerty123 qwerty1234 1q2w3e4r 1q2w3e4r5t 1qaz2wsx q1w2e3r4 asdfghjk asdfghjkl zxcvbnm1 " +
    "abc12345 abcd1234 abcdefgh a1b2c3d4 aa123456 iloveyou iloveyou1 sunshine sunshine1 princess princess1 " +
    "football football1 baseball baseball1 basketball superman superman1 batman123 starwars trustno1 whatever " +
    "welcome1 welcome123 letmein1 letmein123 admin123 admin1234 administrator changeme changeme1 changeme123 " +
    "computer internet michelle jennifer jordan23 liverpool chelsea1 dragon123 monkey123 master123 " +
    "shadow123 secret123 test1234 testtest default1 qazwsxedc"
  ).split(" "),
);

/** Control characters, line and paragraph separators, and characters that change the direction of text. */
const unprintable = /[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/u;

const loneSurrogate = /\p{Cs}/u;

/**
 * The texts that the engine's protocol sends in the place of a value that is not known yet. As a name or a
 * slug they would be taken for such a place: https://github.com/pulumi/pulumi/blob/v3.246.0/sdk/go/common/resource/plugin/rpc.go#L53
 */
const unknownValues = new Set([
  "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",
  "3eeb2bf0-c639-47a8-9e75-3b44932eb421",
  "04da6b54-80e4-46f7-96ec-b56ff0331ba9",
  "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",
  "030794c1-ac77-496b-92df-f27374a8bd58",
  "e48ece36-62e2-4504-bad9-02848725956a",
  "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",
]);

/** Unicode characters, as PostgreSQL's char_length counts them. */
const characters = (value: string) => Array.from(value).length;

/** Text as a person types it: in NFC, trimmed, of so many characters, without control characters. */
const text = (most: number) =>
  z
    .string()
    .meta({ minLength: 1, maxLength: most })
    .transform((value) => value.normalize("NFC").trim())
    .pipe(
      z
        .string()
        .refine((value) => value.length > 0, "must not be empty")
        .refine((value) => characters(value) <= most, `must have at most ${most} characters`)
        .refine((value) => !unprintable.test(value), "must not have control characters")
        .refine((value) => !loneSurrogate.test(value), "must be well-formed Unicode")
        .refine((value) => !unknownValues.has(value), "means something else to Pulumi"),
    );

// The form HTML's <input type="email"> takes:
// https://html.spec.whatwg.org/multipage/input.html#valid-e-mail-address
const email =
  /^[a-zA-Z0-9.!#$%&'*+/=?^_`{|}~-]+@[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)*$/;

/** A password as it is typed: normalised to NFC, never trimmed. */
const plainPassword = z
  .string()
  .meta({ minLength: 8, maxLength: 128, format: "password" })
  .transform((value) => value.normalize("NFC"))
  .pipe(
    z
      .string()
      .refine((value) => characters(value) >= 8, "must have at least 8 characters")
      .refine((value) => characters(value) <= 128, "must have at most 128 characters")
      .refine((value) => !unprintable.test(value), "must not have control characters")
      .refine((value) => !loneSurrogate.test(value), "must be well-formed Unicode")
      .refine(
        (value) => !commonPasswords.has(value.toLowerCase()),
        "is one of the commonest passwords; choose another",
      ),
  );

/**
 * What each input of a tenant must look like, wherever it comes from: a stack's program, its
 * configuration or an HTTP body. Each schema gives the normalised value.
 */
export const rules = {
  /** 1 to 200 characters. */
  name: text(200),
  /** 3 to 63 of a-z, 0-9 and inner single hyphens; no reserved word. */
  slug: z
    .string()
    .refine((value) => value.length >= 3, "must have at least 3 characters")
    .refine((value) => value.length <= 63, "must have at most 63 characters")
    .refine(
      (value) => /^[a-z0-9]+(-[a-z0-9]+)*$/.test(value),
      "must be of a-z and 0-9, with single hyphens inside",
    )
    .refine((value) => !reservedSlugs.has(value), "is a reserved word; choose another")
    .refine((value) => !unknownValues.has(value), "means something else to Pulumi")
    .meta({ minLength: 3, maxLength: 63, pattern: "^[a-z0-9]+(-[a-z0-9]+)*$" }),
  /** At most 254 characters, of the form HTML uses. */
  email: text(254).refine((value) => email.test(value), "must be an e-mail address"),
  /** 8 to 128 characters, none of the commonest. */
  plainPassword,
  /** A plain password, or an argon2id PHC string, taken as it is. */
  password: z.string().transform((value, context) => {
    if (isPasswordHash(value)) return value;
    const plain = plainPassword.safeParse(value);
    if (plain.success) return plain.data;
    for (const { message } of plain.error.issues) context.addIssue({ code: "custom", message });
    return z.NEVER;
  }),
  /** A first or last name: 1 to 100 characters. */
  personName: text(100),
  /** A UUID in lower case. */
  id: z.uuid("must be a UUID").transform((value) => value.toLowerCase()),
  /** Who declares a tenant: `organization/project/stack::name`. */
  owner: z.string().min(1).max(1000),
  /** The name of a role in PostgreSQL, as it is, with no quotes. */
  roleName: z
    .string()
    .refine((value) => value.length > 0, "must not be empty")
    .refine((value) => Buffer.byteLength(value) <= 63, "must have at most 63 bytes")
    .refine((value) => !unprintable.test(value), "must not have control characters")
    .refine((value) => !loneSurrogate.test(value), "must be well-formed Unicode")
    .refine(
      (value) => !["public", "none"].includes(value) && !value.startsWith("pg_"),
      "is no role that can be the product's",
    ),
  /** The name of an environment variable. */
  environmentVariable: z
    .string()
    .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, "must be the name of an environment variable, not a URL"),
} as const;
