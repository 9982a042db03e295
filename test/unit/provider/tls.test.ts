import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import type { PeerCertificate } from "node:tls";
import * as tls from "../../../provider/connections/tls";

const folder = mkdtempSync(path.join(tmpdir(), "tls-"));
afterAll(() => rmSync(folder, { recursive: true }));

function fileOf(name: string): string {
  const file = path.join(folder, name);
  writeFileSync(file, `the ${name}`);
  return file;
}

const none = { sslrootcert: undefined, sslcert: undefined, sslkey: undefined };
const optionsOf = (settings: Partial<tls.TlsSettings>) =>
  tls.tlsOptions({ host: "db.example", sslmode: "verify-full", ...none, ...settings });

test.each(["localhost", "127.0.0.1", "127.1.2.3", "::1", "[::1]"])(
  "to %s, which is this machine, nothing is checked where no mode is named",
  (host) => {
    expect(tls.defaultSslMode(host)).toBe("disable");
  },
);

test.each(["db.example", "10.0.0.1", "localhost.example", "x127.0.0.1", "127.0.0.1.example"])(
  "to %s everything is",
  (host) => {
    expect(tls.defaultSslMode(host)).toBe("verify-full");
  },
);

test("each mode checks what it says, and an authority that is named is checked by any", () => {
  const sslrootcert = fileOf("authority");
  expect(optionsOf({ sslmode: "disable", sslrootcert })).toBe(false);
  expect(optionsOf({ sslmode: "require" })).toMatchObject({ rejectUnauthorized: false });
  expect(optionsOf({ sslmode: "require", sslrootcert })).toMatchObject({
    ...{ rejectUnauthorized: true, ca: "the authority" },
  });
  for (const sslmode of ["verify-ca", "verify-full"] as const) {
    expect(optionsOf({ sslmode })).toMatchObject({ rejectUnauthorized: true });
  }
});

test("the host's name is checked by verify-full alone", () => {
  const certificate = { subject: { CN: "other.example" } } as PeerCertificate;
  const check = (sslmode: "verify-ca" | "verify-full") => {
    const options = optionsOf({ sslmode });
    return options === false ? undefined : options.checkServerIdentity?.("ignored", certificate);
  };
  expect(check("verify-full")).toMatchObject({ host: "db.example" });
  expect(check("verify-ca")).toBeUndefined();
});

test("a certificate and its key are shown where they are named, and not otherwise", () => {
  expect(optionsOf({ sslcert: fileOf("certificate"), sslkey: fileOf("key") })).toMatchObject({
    ...{ cert: "the certificate", key: "the key" },
  });
  const options = Object.keys(optionsOf({}));
  expect(options.sort()).toEqual(["checkServerIdentity", "rejectUnauthorized"]);
});

describe("a connection that failed over TLS", () => {
  const coded = (code: string) => Object.assign(new Error("words"), { code });

  test.each([
    ...["UNABLE_TO_VERIFY_LEAF_SIGNATURE", "CERT_HAS_EXPIRED", "SELF_SIGNED_CERT_IN_CHAIN"],
    ...["DEPTH_ZERO_SELF_SIGNED_CERT", "INVALID_CA", "ERR_TLS_CERT_ALTNAME_INVALID"],
  ])("by %s names the setting, and keeps its cause", (code) => {
    const error = coded(code);
    expect(tls.tlsFault(error, "db.example")).toMatchObject({
      message: expect.stringMatching(
        /^the certificate of db\.example is not trusted \(words\): .* by sslrootcert .*sslmode=require/,
      ) as unknown,
      cause: error,
    });
  });

  test("because the server has none names the setting", () => {
    const error = new Error("The server does not support SSL connections");
    expect(tls.tlsFault(error, "db.example")).toMatchObject({
      message: expect.stringContaining("db.example offers no TLS: turn it on there") as unknown,
      cause: error,
    });
  });

  test.each([
    new Error("words"),
    coded("ECONNREFUSED"),
    coded("NO_CERT_AT_ALL"),
    "words",
    undefined,
  ])("by anything else is as it is: %p", (error) => {
    expect(tls.tlsFault(error, "db.example")).toBe(error);
  });
});
