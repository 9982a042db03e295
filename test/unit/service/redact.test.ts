import fc from "fast-check";
import { redactor } from "../../../service/system/redact";

test("credentials in a URL go, the rest of it stays", () => {
  const redact = redactor([]);
  expect(redact("cannot reach postgres://app:s3cr%40t@db.example:5432/app?x=1")).toBe(
    "cannot reach postgres://[redacted]@db.example:5432/app?x=1",
  );
  expect(redact("see https://www.pulumi.com/docs")).toBe("see https://www.pulumi.com/docs");
});

test("argon2 strings and tokens go, wherever they come from", () => {
  const redact = redactor([]);
  const hash = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$qGQmBB7xZ4nLCL4nVZcfVw";
  expect(redact(`{"password":"${hash}"}`)).toBe(`{"password":"[redacted]"}`);
  expect(redact("Bearer eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjF9.c2ln")).toBe("Bearer [redacted]");
  expect(redact("Bearer eyJhbGciOiJub25lIn0.eyJleHAiOjF9.")).toBe("Bearer [redacted]");
});

test("a known secret goes from plain text, from a URL and from JSON", () => {
  const secret = fc.string({ minLength: 6, maxLength: 40, unit: "binary" });
  fc.assert(
    fc.property(secret, (text) => {
      fc.pre(!/\p{Cs}/u.test(text) && !"[redacted]".includes(text));
      const redact = redactor([text]);
      expect(redact(`before ${text} after`)).not.toContain(text);
      expect(redact(JSON.stringify({ message: `x ${text}` }))).not.toContain(
        JSON.stringify(text).slice(1, -1),
      );
      expect(redact(`password=${encodeURIComponent(text)}`)).toBe("password=[redacted]");
    }),
  );
});

test("a line of JSON stays JSON", () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.string({ minLength: 6 }), (value, secret) => {
      // What is part of JSON's own grammar cannot be told from a secret.
      fc.pre(!/["\\{}[\]:,]|true|false|null|[0-9]/.test(secret));
      const line = JSON.stringify({ value, url: `postgres://u:${encodeURIComponent(secret)}@h/d` });
      expect(() => JSON.parse(redactor([secret])(line)) as unknown).not.toThrow();
    }),
  );
});

test("what is too short to tell from other text, or not set, is left alone", () => {
  expect(redactor(["app", undefined])("the app works")).toBe("the app works");
});
