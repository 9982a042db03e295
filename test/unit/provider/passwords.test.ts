import * as argon2 from "argon2";
import { hashPassword, isPasswordHash } from "../../../provider/contract/passwords";

const ana = "organization/shop/prod::acme ana@acme.example";

describe("a password's hash", () => {
  it("is argon2id at OWASP's minimum, and knows its password and no other", async () => {
    const hash = await hashPassword("correct horse", ana);
    expect(hash).toMatch(/^\$argon2id\$v=19\$/);
    expect(argon2.needsRehash(hash, { memoryCost: 19_456, timeCost: 2, parallelism: 1 })).toBe(
      false,
    );
    expect(await argon2.verify(hash, "correct horse")).toBe(true);
    expect(await argon2.verify(hash, "correct horse ")).toBe(false);
  });

  it("stays the same for the same account, and differs for every other", async () => {
    const hash = await hashPassword("correct horse", ana);
    expect(await hashPassword("correct horse", ana)).toBe(hash);
    const other = await hashPassword("correct horse", ana.replace("prod", "dev"));
    expect(other.split("$")[4]).not.toBe(hash.split("$")[4]);
    expect(other.split("$")[5]).not.toBe(hash.split("$")[5]);
  });

  it("is told from a password by its form", async () => {
    expect(isPasswordHash(await hashPassword("correct horse", ana))).toBe(true);
    const [salt, digest] = ["A".repeat(22), "B".repeat(43)];
    expect(isPasswordHash(`$argon2id$v=19$m=19456,t=2,p=1$${salt}$${digest}`)).toBe(true);
    expect(isPasswordHash(`$argon2i$v=19$m=19456,t=2,p=1$${salt}$${digest}`)).toBe(false);
    expect(isPasswordHash(`$argon2id$v=19$m=19456,t=2,p=1$${salt}`)).toBe(false);
    expect(isPasswordHash(`x$argon2id$v=19$m=19456,t=2,p=1$${salt}$${digest}`)).toBe(false);
    expect(isPasswordHash(`$argon2id$v=19$m=19456,t=2,p=1$${salt}$${digest}$`)).toBe(false);
    expect(isPasswordHash(`$argon2id$v=19$m=19456,t=2,p=1x$${salt}$${digest}`)).toBe(false);
    expect(isPasswordHash(`$argon2id$v=19$xm=19456,t=2,p=1$${salt}$${digest}`)).toBe(false);
  });

  it("is none when checking it would stall a login", () => {
    const [salt, digest] = ["A".repeat(22), "B".repeat(43)];
    expect(isPasswordHash(`$argon2id$v=19$m=99999999,t=2,p=1$${salt}$${digest}`)).toBe(false);
    expect(isPasswordHash(`$argon2id$v=19$m=19456,t=1000,p=1$${salt}$${digest}`)).toBe(false);
  });
});
