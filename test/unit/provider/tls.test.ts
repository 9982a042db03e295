import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import type { PeerCertificate } from "node:tls";
import * as tls from "../../../provider/connections/tls";
import { makeAuthority } from "../../support/certificates";

const folder = mkdtempSync(path.join(tmpdir(), "tls-"));
afterAll(() => rmSync(folder, { recursive: true }));

const authority = makeAuthority(folder, "authority");
const person = authority.sign("person");
const other = authority.sign("other");
const garbage = path.join(folder, "garbage");
writeFileSync(garbage, "no certificate\n", { mode: 0o600 });
const missing = path.join(folder, "missing");

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
  const sslrootcert = authority.ca;
  expect(optionsOf({ sslmode: "disable", sslrootcert })).toBe(false);
  expect(optionsOf({ sslmode: "require" })).toMatchObject({ rejectUnauthorized: false });
  expect(optionsOf({ sslmode: "require", sslrootcert })).toMatchObject({
    ...{ rejectUnauthorized: true, ca: readFileSync(authority.ca, "utf8") },
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
  expect(optionsOf({ sslcert: person.cert, sslkey: person.key })).toMatchObject({
    cert: readFileSync(person.cert, "utf8"),
    key: readFileSync(person.key, "utf8"),
  });
  const options = Object.keys(optionsOf({}));
  expect(options.sort()).toEqual(["checkServerIdentity", "rejectUnauthorized"]);
});

describe("a file that cannot be used is told before a connection is made,", () => {
  const noPair = "sslcert and sslkey cannot be used: no certificate and its private key in PEM";

  test.each<[string, Partial<tls.TlsSettings>, string]>([
    ["a missing authority", { sslrootcert: missing }, `sslrootcert cannot be used: ENOENT`],
    ["no authority", { sslrootcert: garbage }, "sslrootcert cannot be used: no certificate in PEM"],
    ["a missing key", { sslcert: person.cert, sslkey: missing }, "sslkey cannot be used: ENOENT"],
    [
      "a missing certificate",
      { sslcert: missing, sslkey: person.key },
      "sslcert and sslkey cannot be used: ENOENT",
    ],
    ["no certificate", { sslcert: garbage, sslkey: person.key }, noPair],
    ["no key", { sslcert: person.cert, sslkey: garbage }, noPair],
    ["another's key", { sslcert: person.cert, sslkey: other.key }, noPair],
  ])("%s", (_, settings, told) => {
    expect(() => optionsOf(settings)).toThrow(told);
  });

  test.each([0o644, 0o604, 0o660, 0o700])("a key of mode %d, which dbmate refuses", (mode) => {
    chmodSync(other.key, mode);
    const settings = { sslcert: other.cert, sslkey: other.key };
    expect(() => optionsOf(settings)).toThrow(
      `sslkey can be read by others: chmod 600 ${other.key}`,
    );
    chmodSync(other.key, 0o400);
    expect(optionsOf(settings)).toHaveProperty("key");
  });
});

describe("a connection that failed over TLS", () => {
  const coded = (code: string) => Object.assign(new Error("words"), { code });

  test.each([
    ...["UNABLE_TO_VERIFY_LEAF_SIGNATURE", "SELF_SIGNED_CERT_IN_CHAIN"],
    ...["DEPTH_ZERO_SELF_SIGNED_CERT", "INVALID_CA"],
  ])("by %s names the setting, and keeps its cause", (code) => {
    const error = coded(code);
    expect(tls.tlsFault(error, "db.example")).toMatchObject({
      message: expect.stringMatching(
        /^the certificate of db\.example is not trusted \(words\): .* by sslrootcert .*sslmode=require/,
      ) as unknown,
      cause: error,
    });
  });

  test.each([
    [
      "ERR_TLS_CERT_ALTNAME_INVALID",
      "by a name that is in the certificate, or set sslmode=verify-ca",
    ],
    ["CERT_HAS_EXPIRED", "(words): the server needs another one"],
    ["CERT_NOT_YET_VALID", "(words): the server needs another one"],
  ])("by %s says what would help, which no authority would", (code, advice) => {
    const fault = tls.tlsFault(coded(code), "db.example") as Error;
    expect(fault.message).toContain(advice);
    expect(fault.message).not.toContain("sslrootcert");
  });

  test.each(["ERR_SSL_TLSV1_ALERT_UNKNOWN_CA", "ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE"])(
    "by %s, because the server refuses the certificate that it is shown, says so",
    (code) => {
      const error = Object.assign(coded(code), { reason: "an alert" });
      expect(tls.tlsFault(error, "db.example")).toMatchObject({
        message:
          "db.example does not take the certificate that sslcert in the URL names (an alert)",
        cause: error,
      });
    },
  );

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
    coded("ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION"),
    "words",
    undefined,
  ])("by anything else is as it is: %p", (error) => {
    expect(tls.tlsFault(error, "db.example")).toBe(error);
  });
});
