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

/** The least of several times, in ms: what else the machine does only adds. */
function leastMs(work: () => void): number {
  return Math.min(
    ...Array.from({ length: 10 }, () => {
      const began = performance.now();
      work();
      return performance.now() - began;
    }),
  );
}

test.each([
  ["letters alone", "a"],
  ["schemes of URLs", "http:"],
  ["slashes after schemes", "http://"],
  ["users of a URL without its end", "u:p"],
  ["beginnings of tokens", "eyJ-"],
  ["tokens without their end", "eyJ-a."],
  ["beginnings of hashes", "$argon2id$"],
])("a long line costs what its parts cost together: %s", (_, unit) => {
  const redact = redactor(["a known secret", "aaaaaaaaaaaaaaab"]);
  const [whole, parts] = [64, 1].map((kib) => unit.repeat((kib * 1_024) / unit.length)) as [
    string,
    string,
  ];
  const together = leastMs(() => Array.from({ length: 64 }).forEach(() => redact(parts)));
  // Squared, it would be 64 times as much.
  expect(leastMs(() => redact(whole)) / together).toBeLessThan(8);
});

test("secrets beside what only looks like one go", () => {
  const redact = redactor([]);
  expect(redact("eyJ-eyJ-a.b.c eyJa.eyJb.eyJc.eyJd")).toBe("[redacted] [redacted].eyJd");
  expect(redact("a.eyJa.b.c and eyJa.b, x-eyJa.b.")).toBe("a.[redacted] and eyJa.b, x-[redacted]");
  expect(redact("a://b://u:p@h, see http://x/y@z")).toBe("a://b://[redacted]@h, see http://x/y@z");
});

test("what is too short to tell from other text, or not set, is left alone", () => {
  expect(redactor(["app", undefined])("the app works")).toBe("the app works");
});
