import fc from "fast-check";
import { InvalidRequestError } from "../../../service/http/errors";
import { parseBody } from "../../../service/http/body";
import { setupRequest } from "../../../service/operations/kinds/setup";
import { tenantBody } from "../../support/service-client";

const parse = (body: unknown) => parseBody(setupRequest, Buffer.from(JSON.stringify(body)));

/** The paths that are at fault; empty when it is taken. */
function faultyPaths(body: unknown): string[] {
  try {
    parse(body);
  } catch (error) {
    if (error instanceof InvalidRequestError)
      return error.options.details?.map((d) => d.path) ?? [];
    throw error;
  }
  return [];
}

describe("hostile text", () => {
  const texts = ["name", "adminFirstName", "adminLastName"];

  const kept = {
    quotes: `O'Brien "the" \`first\``,
    "a comment's end": "x'; drop table tenants; --",
    "a shell's substitution": "$(rm -rf /) ${HOME}",
    "a path": "../../etc/passwd",
    "a Pulumi secret's mark": "4dabf18193072939515e22adb298388d",
    "characters of four bytes": "𝔘nicode 🏢",
    percent: "100 %s %d %",
  };
  test.each(Object.entries(kept))("%s is kept as it is", (_, text) => {
    for (const field of texts)
      expect(parse(tenantBody({ [field]: text }))).toMatchObject({ [field]: text });
    expect(parse(tenantBody({ adminPassword: text.padEnd(8, "x") })).adminPassword).toBe(
      text.padEnd(8, "x"),
    );
  });

  const refused = {
    NUL: "a\u0000b",
    "a line's end": "a\nb",
    "an escape": "a\u001b[2Jb",
    "a reversal of direction": "a\u202eb",
    "half a character": "a\ud800b",
  };
  test.each(Object.entries(refused))("%s is refused in every field", (_, text) => {
    for (const field of Object.keys(tenantBody())) {
      expect(faultyPaths(tenantBody({ [field]: `${text}-padded` }))).toContain(field);
    }
  });

  test("what Pulumi takes for a value that is not known yet is refused, but as a password", () => {
    const mark = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";
    for (const field of [...texts, "slug"]) {
      expect(faultyPaths(tenantBody({ [field]: mark }))).toEqual([field]);
    }
    expect(faultyPaths(tenantBody({ adminPassword: mark }))).toEqual([]);
  });

  test("text is trimmed and composed; a password is composed only", () => {
    const decomposed = "  Zoe\u0308  ";
    const parsed = parse(tenantBody({ name: decomposed, adminPassword: `${decomposed}12345` }));
    expect(parsed.name).toBe("Zo\u00eb");
    expect(parsed.adminPassword).toBe("  Zo\u00eb  12345");
  });

  test("an argon2 string is a password like any other, hashed again", () => {
    const hash = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$qGQmBB7xZ4nLCL4nVZcfVw";
    expect(parse(tenantBody({ adminPassword: hash })).adminPassword).toBe(hash);
    expect(faultyPaths(tenantBody({ adminPassword: hash.padEnd(129, "A") }))).toEqual([
      "adminPassword",
    ]);
  });
});

describe("any input", () => {
  test("is a request that keeps the rules, or a refusal", () => {
    const field = fc.oneof(fc.string({ unit: "binary" }), fc.string(), fc.jsonValue());
    const body = fc.record(
      {
        name: field,
        slug: field,
        adminEmail: field,
        adminPassword: field,
        adminFirstName: field,
        adminLastName: field,
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(fc.oneof(body, fc.jsonValue()), (input) => {
        const faults = faultyPaths(input);
        if (faults.length > 0) return;
        const { name, slug, adminPassword } = parse(input);
        expect(name).toBe(name.trim().normalize("NFC"));
        expect(slug).toMatch(/^[a-z0-9]+(-[a-z0-9]+)*$/);
        const characters = adminPassword && Array.from(adminPassword).length;
        expect(characters ?? 8).toBeGreaterThanOrEqual(8);
      }),
      { numRuns: 500 },
    );
  });

  test("of bytes is JSON, or told to be none", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(() => parseBody(setupRequest, Buffer.from(bytes))).toThrow(InvalidRequestError);
      }),
    );
  });

  test("with a field that is not known is refused by that field's name", () => {
    fc.assert(
      fc.property(fc.string(), fc.jsonValue(), (key, value) => {
        const entries = Object.entries(tenantBody());
        fc.pre(entries.every(([known]) => known !== key));
        const json = `{${[...entries, [key, value]]
          .map(([name, content]) => `${JSON.stringify(name)}:${JSON.stringify(content)}`)
          .join(",")}}`;
        expect(faultyPaths(JSON.parse(json))).toEqual([key]);
      }),
    );
  });

  test("that keeps the rules is taken unchanged, however often it is read", () => {
    const slug = fc.stringMatching(/^[a-z0-9]{1,20}(-[a-z0-9]{1,10}){0,2}$/).map((s) => `t${s}-x1`);
    const name = fc.string({ minLength: 1, maxLength: 60 }).map((s) => `x${s.trimEnd()}`);
    fc.assert(
      fc.property(slug, name, (slug, name) => {
        const once = parse(tenantBody({ slug, name }));
        expect(parse(once)).toEqual(once);
        expect(once.slug).toBe(slug);
      }),
    );
  });
});
