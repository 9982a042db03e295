import { X509Certificate } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { checkServerIdentity, createSecureContext, type ConnectionOptions } from "node:tls";
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
 * Reads the settings out of a database's URL: its host, and `sslmode`, `sslrootcert`, `sslcert` and `sslkey`.
 *
 * @returns the settings, or what is wrong with them.
 */
export function tlsSettings(url: URL): TlsSettings | string {
  const host = url.hostname.replace(/^\[(.*)\]$/, "$1");
  const file = (key: string) => url.searchParams.get(key) ?? undefined;
  const [sslrootcert, sslcert, sslkey] = ["sslrootcert", "sslcert", "sslkey"].map(file);
  if ((sslcert === undefined) !== (sslkey === undefined)) {
    return "has one of sslcert and sslkey: give both, or neither";
  }
  const named = url.searchParams.get("sslmode") ?? defaultSslMode(host);
  const choice = `set one of ${sslModes.join(", ")}`;
  if (named === "prefer" || named === "allow") {
    return `has sslmode=${named}, which goes on in plain text without a word: ${choice}`;
  }
  const sslmode = sslModes.find((mode) => mode === named);
  if (sslmode === undefined) return `has an sslmode that is not known: ${choice}`;
  return { host, sslmode, sslrootcert, sslcert, sslkey };
}

/**
 * The settings as node-postgres takes them.
 *
 * @throws Error that names the setting whose file cannot be used. pg itself would find out while it connects, and
 * keep the connection open for as long as the server waits for it.
 */
export function tlsOptions(settings: TlsSettings): false | ConnectionOptions {
  const { host, sslmode, sslrootcert } = settings;
  if (sslmode === "disable") return false;
  return {
    // As in libpq and lib/pq: where an authority is named, `require` checks as `verify-ca` does.
    rejectUnauthorized: sslmode !== "require" || sslrootcert !== undefined,
    // By itself Node would compare with "localhost" where the host is an IP address.
    checkServerIdentity: (_, certificate) =>
      sslmode === "verify-full" ? checkServerIdentity(host, certificate) : undefined,
    ...(sslrootcert === undefined ? {} : { ca: authority(sslrootcert) }),
    ...ownCertificate(settings),
  };
}

function authority(file: string): string {
  return used("sslrootcert", "no certificate in PEM", () => {
    const ca = readFileSync(file, "utf8");
    new X509Certificate(ca);
    return ca;
  });
}

function ownCertificate({ sslcert, sslkey }: TlsSettings): { cert?: string; key?: string } {
  if (sslcert === undefined || sslkey === undefined) return {};
  if (isReadByOthers(sslkey)) {
    // dbmate's driver refuses it, and only when there is a migration to run.
    throw new Error(`sslkey can be read by others: chmod 600 ${sslkey}`);
  }
  return used("sslcert and sslkey", "no certificate and its private key in PEM", () => {
    const pair = { cert: readFileSync(sslcert, "utf8"), key: readFileSync(sslkey, "utf8") };
    createSecureContext(pair);
    return pair;
  });
}

/** As lib/pq judges it: https://github.com/lib/pq/blob/master/ssl_permissions.go */
function isReadByOthers(key: string): boolean {
  const { mode, uid } = used("sslkey", "no file", () => statSync(key));
  const allowed = uid === 0 ? 0o640 : 0o600;
  return process.platform !== "win32" && (mode & 0o777 & ~allowed) !== 0;
}

/** What `use` makes of a setting's files, or why they cannot be used. */
function used<T>(setting: string, fault: string, use: () => T): T {
  try {
    return use();
  } catch (error) {
    const { message, syscall } = error as NodeJS.ErrnoException;
    const reason = syscall === undefined ? `${fault} (${message})` : message;
    throw new Error(`${setting} cannot be used: ${reason}`, { cause: error });
  }
}

/**
 * Says what to do about a connection that failed over TLS.
 *
 * @returns an error with the first one as its cause; any other error as it is.
 */
export function tlsFault(error: unknown, host: string): unknown {
  if (!types.isNativeError(error)) return error;
  const advice = adviceOn(error, host);
  return advice === undefined ? error : new Error(advice, { cause: error });
}

function adviceOn(error: Error & { code?: unknown; reason?: unknown }, host: string) {
  const { message, code = "", reason = message } = error;
  if (message === "The server does not support SSL connections") {
    return `${host} offers no TLS: turn it on there, or set sslmode=disable in the URL`;
  }
  if (refused.test(String(code))) {
    return `${host} does not take the certificate that sslcert in the URL names (${String(reason)})`;
  }
  if (!untrusted.test(String(code))) return undefined;
  const found = `the certificate of ${host} is not trusted (${message})`;
  if (code === "ERR_TLS_CERT_ALTNAME_INVALID") {
    return (
      `${found}: give the host in the URL by a name that is in the certificate, or set sslmode=verify-ca, ` +
      `which does not check the name`
    );
  }
  if (code === "CERT_HAS_EXPIRED" || code === "CERT_NOT_YET_VALID") {
    return `${found}: the server needs another one`;
  }
  return (
    `${found}: name the file of the authority that signed it by sslrootcert in the URL, or set ` +
    `sslmode=require without sslrootcert, which checks nothing`
  );
}

/** https://nodejs.org/docs/latest-v20.x/api/tls.html#x509-certificate-error-codes */
const untrusted = /^(UNABLE_TO_|CERT_|SELF_SIGNED_|DEPTH_ZERO_|INVALID_CA|ERR_TLS_CERT_)/;

/** OpenSSL's names for what a server answers to a certificate: https://www.rfc-editor.org/rfc/rfc8446#section-6.2 */
const refused = /^ERR_SSL_\w+_ALERT_(UNKNOWN_CA|\w*CERTIFICATE\w*)$/;
