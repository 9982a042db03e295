import { readFileSync } from "node:fs";
import { checkServerIdentity, type ConnectionOptions } from "node:tls";
import { types } from "node:util";

/** The modes of libpq that say what they do: https://www.postgresql.org/docs/current/libpq-ssl.html */
export const sslModes = ["disable", "require", "verify-ca", "verify-full"] as const;

/** The mode where none is named: nothing is checked on this machine, and everything on another one. */
export function defaultSslMode(host: string): (typeof sslModes)[number] {
  return isThisMachine(host) ? "disable" : "verify-full";
}

/** Tells whether the host is an address of this machine alone. An IPv6 address may stand in brackets. */
export function isThisMachine(host: string): boolean {
  return /^(localhost|::1|\[::1\]|127(\.\d{1,3}){3})$/.test(host);
}

/** How a connection is encrypted and checked. The last three are paths of PEM files. */
export interface TlsSettings {
  readonly host: string;
  readonly sslmode: (typeof sslModes)[number];
  /** Of the authority that has signed the server's certificate. Undefined: those that Node trusts. */
  readonly sslrootcert: string | undefined;
  /** The certificate that this side shows, for a server that asks for one. */
  readonly sslcert: string | undefined;
  /** The private key of `sslcert`. */
  readonly sslkey: string | undefined;
}

/**
 * The settings as node-postgres takes them.
 *
 * @throws errors of the file system when a file cannot be read.
 */
export function tlsOptions(settings: TlsSettings): false | ConnectionOptions {
  const { host, sslmode, sslrootcert, sslcert, sslkey } = settings;
  if (sslmode === "disable") return false;
  return {
    // As in libpq and lib/pq: where an authority is named, `require` checks as `verify-ca` does.
    rejectUnauthorized: sslmode !== "require" || sslrootcert !== undefined,
    // By itself Node would compare with "localhost" where the host is an IP address.
    checkServerIdentity: (_, certificate) =>
      sslmode === "verify-full" ? checkServerIdentity(host, certificate) : undefined,
    ...(sslrootcert === undefined ? {} : { ca: readFileSync(sslrootcert, "utf8") }),
    ...(sslcert === undefined ? {} : { cert: readFileSync(sslcert, "utf8") }),
    ...(sslkey === undefined ? {} : { key: readFileSync(sslkey, "utf8") }),
  };
}

/**
 * Says what to do about a connection that failed over TLS.
 *
 * @returns an error with the first one as its cause; any other error as it is.
 */
export function tlsFault(error: unknown, host: string): unknown {
  if (!types.isNativeError(error)) return error;
  const code = "code" in error ? String(error.code) : "";
  if (error.message === "The server does not support SSL connections") {
    return new Error(`${host} offers no TLS: turn it on there, or set sslmode=disable in the URL`, {
      cause: error,
    });
  }
  if (!untrusted.test(code)) return error;
  return new Error(
    `the certificate of ${host} is not trusted (${error.message}): name the file of the authority that signed ` +
      `it by sslrootcert in the URL, or set sslmode=require, which checks nothing`,
    { cause: error },
  );
}

/** https://nodejs.org/docs/latest-v20.x/api/tls.html#x509-certificate-error-codes */
const untrusted = /^(UNABLE_TO_|CERT_|SELF_SIGNED_|DEPTH_ZERO_|INVALID_CA|ERR_TLS_CERT_)/;
