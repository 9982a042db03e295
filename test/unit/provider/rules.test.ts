import fc from "fast-check";
import { rules } from "../../../provider/contract/rules";

const faults = (schema: (typeof rules)[keyof typeof rules], value: unknown) =>
  schema.safeParse(value).error?.issues.map((issue) => issue.message);

describe("slug", () => {
  it.each(["abc", "a1b", "acme-corp", "a-b-c-d", "0ff1ce", "a".repeat(63)])("takes %s", (slug) => {
    expect(rules.slug.parse(slug)).toBe(slug);
  });

  it.each([
    ["ab", "must have at least 3 characters"],
    ["a".repeat(64), "must have at most 63 characters"],
    ["Acme", "must be of a-z and 0-9, with single hyphens inside"],
    ["a--b", "must be of a-z and 0-9, with single hyphens inside"],
    ["-abc", "must be of a-z and 0-9, with single hyphens inside"],
    ["abc-", "must be of a-z and 0-9, with single hyphens inside"],
    ["abc\n", "must be of a-z and 0-9, with single hyphens inside"],
    ["ácme", "must be of a-z and 0-9, with single hyphens inside"],
    ["admin", "is a reserved word; choose another"],
  ])("refuses %j and says why", (slug, reason) => {
    expect(faults(rules.slug, slug)).toContain(reason);
  });

  it("never lets anything through that an address or an SQL identifier would have to quote", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        const parsed = rules.slug.safeParse(text);
        return !parsed.success || /^[a-z0-9-]{3,63}$/.test(parsed.data);
      }),
    );
  });
});

describe("text that people type", () => {
  it("is trimmed and brought into NFC", () => {
    expect(rules.name.parse("  Cafe\u0301 \n")).toBe("Café");
  });

  it("is counted in characters, not in UTF-16 units", () => {
    expect(rules.name.parse("🏢".repeat(200))).toHaveLength(400);
    expect(faults(rules.name, "🏢".repeat(201))).toEqual(["must have at most 200 characters"]);
  });

  it.each(["a\u0000b", "a\nb", "a\u007fb", "a\u2028b", "invoice\u202efdp.exe"])(
    "is refused with the control character in %j",
    (text) => {
      expect(faults(rules.name, text)).toEqual(["must not have control characters"]);
    },
  );

  it("is refused with half of a surrogate pair, which no UTF-8 can hold", () => {
    expect(faults(rules.name, "a\ud800")).toEqual(["must be well-formed Unicode"]);
  });

  it("comes out unchanged when it is read a second time", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        const once = rules.name.safeParse(text);
        return !once.success || rules.name.parse(once.data) === once.data;
      }),
    );
  });
});

describe("e-mail", () => {
  it.each(["ana@acme.example", "a.b+c@x.co", "o'neil@mail.example", "x@localhost"])(
    "takes %s",
    (email) => {
      expect(rules.email.parse(email)).toBe(email);
    },
  );

  it.each(["ana", "@x.co", "a b@x.co", "a@", "a@-x.co", "a@x..co", "a@b@c.co", "ána@x.co"])(
    "refuses %j",
    (email) => {
      expect(faults(rules.email, email)).toEqual(["must be an e-mail address"]);
    },
  );

  it("has at most 254 characters", () => {
    const domain = `${"d".repeat(60)}.`.repeat(4);
    expect(faults(rules.email, `ananananana@${domain}example`)).toContain(
      "must have at most 254 characters",
    );
  });
});

describe("password", () => {
  it("is normalised and never trimmed", () => {
    expect(rules.plainPassword.parse("  cafe\u0301 au lait ")).toBe("  café au lait ");
  });

  it.each([
    ["short", "must have at least 8 characters"],
    ["x".repeat(129), "must have at most 128 characters"],
    ["Password1", "is one of the commonest passwords; choose another"],
    ["tab\there and there", "must not have control characters"],
  ])("refuses %j and says why", (password, reason) => {
    expect(faults(rules.password, password)).toEqual([reason]);
  });

  it.each([8, 128])("may have just %i characters, of whatever size", (length) => {
    for (const password of ["xy".repeat(length / 2), "🏢".repeat(length)]) {
      expect(rules.plainPassword.parse(password)).toBe(password);
    }
    expect(faults(rules.plainPassword, "🏢".repeat(7))).toEqual([
      "must have at least 8 characters",
    ]);
  });

  it("may be an argon2id hash, longer than a password may be", () => {
    const hash = `$argon2id$v=19$m=19456,t=2,p=1$${"A".repeat(22)}$${"B".repeat(86)}`;
    expect(rules.password.parse(hash)).toBe(hash);
    expect(faults(rules.plainPassword, hash)).toEqual(["must have at most 128 characters"]);
  });
});

describe("the name of an environment variable", () => {
  it("is refused when somebody gives the URL itself, without repeating it", () => {
    expect(faults(rules.environmentVariable, "postgres://me:secret@host/db")).toEqual([
      "must be the name of an environment variable, not a URL",
    ]);
  });
});
