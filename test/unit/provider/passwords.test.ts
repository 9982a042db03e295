import * as argon2 from "argon2";
import { hashPassword, isPassword, isPasswordHash } from "../../../provider/passwords";

describe("a password's hash", () => {
  it("is argon2id at OWASP's minimum, with a salt of its own each time", async () => {
    const [one, two] = await Promise.all([
      hashPassword("correct horse"),
      hashPassword("correct horse"),
    ]);
    expect(one).toMatch(/^\$argon2id\$v=19\$/);
    expect(argon2.needsRehash(one, { memoryCost: 19_456, timeCost: 2, parallelism: 1 })).toBe(
      false,
    );
    expect(one).not.toBe(two);
  });

  it("knows its password and no other", async () => {
    const hash = await hashPassword("correct horse");
    expect(await isPassword(hash, "correct horse")).toBe(true);
    expect(await isPassword(hash, "correct horse ")).toBe(false);
    expect(await isPassword("no hash at all", "correct horse")).toBe(false);
  });

  it("is told from a password by its form", async () => {
    expect(isPasswordHash(await hashPassword("correct horse"))).toBe(true);
    const [salt, digest] = ["A".repeat(22), "B".repeat(43)];
    expect(isPasswordHash(`$argon2id$v=19$m=19456,t=2,p=1$${salt}$${digest}`)).toBe(true);
    expect(isPasswordHash(`$argon2i$v=19$m=19456,t=2,p=1$${salt}$${digest}`)).toBe(false);
    expect(isPasswordHash(`$argon2id$v=19$m=19456,t=2,p=1$${salt}`)).toBe(false);
    expect(isPasswordHash(`x$argon2id$v=19$m=19456,t=2,p=1$${salt}$${digest}`)).toBe(false);
  });

  it("is none when checking it would stall a login", () => {
    const [salt, digest] = ["A".repeat(22), "B".repeat(43)];
    expect(isPasswordHash(`$argon2id$v=19$m=99999999,t=2,p=1$${salt}$${digest}`)).toBe(false);
    expect(isPasswordHash(`$argon2id$v=19$m=19456,t=1000,p=1$${salt}$${digest}`)).toBe(false);
  });
});
