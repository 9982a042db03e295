import fc from "fast-check";
import {
  connectionSettings,
  parseDatabaseUrl,
  unverified,
} from "../../../provider/database/settings";
import { dbmateUrl, pgConfig } from "../../../provider/database/client-config";

const parse = (url: string) => parseDatabaseUrl(url, "DATABASE_URL");

describe("a database URL", () => {
  it("is read once, for pg, dbmate and the postgresql plugin alike", () => {
    expect(parse("postgres://me:s%40crypt@db.example:6543/app?sslmode=verify-full")).toEqual({
      host: "db.example",
      port: 6543,
      database: "app",
      user: "me",
      password: "s@crypt",
      sslmode: "verify-full",
      sslrootcert: undefined,
      sslcert: undefined,
      sslkey: undefined,
    });
  });

  it.each([
    ["postgres://me@127.0.0.1/app", "disable"],
    ["postgres://me@localhost/app", "disable"],
    ["postgres://me@[::1]/app", "disable"],
    ["postgres://me@db.example/app", "verify-full"],
    ["postgres://me@127.evil.example/app", "verify-full"],
  ])("without an sslmode, %s means %s", (url, sslmode) => {
    expect(parse(url).sslmode).toBe(sslmode);
  });

  it.each([
    ["hunter2", "is not a URL"],
    ["mysql://me:hunter2@h/app", "must start with postgres:// or postgresql://"],
    ["postgres:///app?host=/run/hunter2", "names no host"],
    ["postgres://me:hunter2@h/", "names no database"],
    ["postgres://h/hunter2", "names no user"],
    ["postgres://me:hunter2@h/app?sslmode=prefer", "sslmode=prefer, which goes on in plain text"],
    ["postgres://me:hunter2@h/app?sslmode=maybe", "has an sslmode that is not known: set one of"],
    ["postgres://me:hunter2@h/app?sslcert=c.pem", "has one of sslcert and sslkey: give both"],
    ["postgres://me:hunter2@h/app?options=x", "not supported: options"],
  ])("that cannot be used is refused by its fault and never repeated: %s", (url, fault) => {
    expect(() => parse(url)).toThrow(fault);
    expect(() => parse(url)).not.toThrow("hunter2");
  });

  it("comes back whole from dbmate's form, whatever is in its parts", () => {
    const part = fc.string({ unit: "grapheme", minLength: 1 });
    fc.assert(
      fc.property(part, part, part, (user, password, database) => {
        // As a path, these mean a folder; no URL can name such a database.
        fc.pre(database !== "." && database !== "..");
        const url = `postgres://${[user, password].map(encodeURIComponent).join(":")}@h/${encodeURIComponent(database)}`;
        const settings = parse(url);
        const again = new URL(dbmateUrl(settings, "tenant_1-2", "a session"));
        expect(decodeURIComponent(again.username)).toBe(user);
        expect(decodeURIComponent(again.password)).toBe(password);
        expect(decodeURIComponent(again.pathname.slice(1))).toBe(database);
        expect(again.searchParams.get("search_path")).toBe("tenant_1-2");
        expect(again.searchParams.get("application_name")).toBe("a session");
      }),
    );
  });

  it("gives pg a checked certificate from verify-ca on, and none for require", () => {
    const ssl = (mode: string) => pgConfig(parse(`postgres://me@h/app?sslmode=${mode}`)).ssl;
    expect(ssl("disable")).toBe(false);
    expect(ssl("require")).toMatchObject({ rejectUnauthorized: false });
    expect(ssl("verify-ca")).toMatchObject({ rejectUnauthorized: true });
    expect(ssl("verify-full")).toMatchObject({ rejectUnauthorized: true });
  });

  it.each([
    ["postgres://me:hunter2@db.example/app?sslmode=disable", true],
    ["postgres://me:hunter2@db.example/app?sslmode=require", true],
    ["postgres://me:hunter2@db.example/app?sslmode=require&sslrootcert=/ca.pem", false],
    ["postgres://me:hunter2@db.example/app?sslmode=verify-ca", false],
    ["postgres://me:hunter2@db.example/app", false],
    ["postgres://me:hunter2@127.0.0.1/app?sslmode=disable", false],
  ])("is warned of where nothing tells who answers: %s, %s", (url, isWarned) => {
    const warning = unverified(parse(url), "DATABASE_URL") ?? "none";
    expect(warning).toMatch(isWarned ? /^DATABASE_URL has sslmode=/ : /^none$/);
    expect(warning).not.toContain("hunter2");
  });

  it("given in the place of its variable's name is refused and not repeated", () => {
    const mistake = () => connectionSettings("postgres://me:hunter2@h/app");
    expect(mistake).toThrow("urlEnv must be the name of the environment variable");
    expect(mistake).not.toThrow("hunter2");
  });
});
