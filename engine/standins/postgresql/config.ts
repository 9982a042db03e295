import { sslModes, type TlsSettings } from "../../../provider/connections/tls";
import { decoded } from "./config-value";
import { secret, UNKNOWN, type Failure, type Properties, type Value } from "./properties";

/** Where the database is, and how to reach it. */
export interface ConnectionConfig extends TlsSettings {
  readonly port: number;
  readonly database: string;
  readonly username: string;
  readonly password: string | undefined;
  /** In seconds, as in the stack. 0 or less: no limit. */
  readonly connectTimeout: number;
  /** How many connections to one database may be open at once. 0 or less: no limit. */
  readonly maxConnections: number;
}

type Kind = "string" | "integer" | "boolean" | "certificate";

/** The configuration that the provider takes: the kind of each value, and libpq's variable for it. */
const KNOWN = new Map<string, { kind: Kind; variable?: string }>([
  ["host", { kind: "string", variable: "PGHOST" }],
  ["port", { kind: "integer", variable: "PGPORT" }],
  ["database", { kind: "string", variable: "PGDATABASE" }],
  ["username", { kind: "string", variable: "PGUSER" }],
  ["password", { kind: "string", variable: "PGPASSWORD" }],
  ["sslmode", { kind: "string", variable: "PGSSLMODE" }],
  ["sslrootcert", { kind: "string" }],
  ["clientcert", { kind: "certificate" }],
  ["connectTimeout", { kind: "integer", variable: "PGCONNECT_TIMEOUT" }],
  ["maxConnections", { kind: "integer" }],
  // These two are checked and then not used: a schema is made in the same way by every role, and by every
  // PostgreSQL since 9.3.
  ["superuser", { kind: "boolean" }],
  ["expectedVersion", { kind: "string" }],
  // The engine gives these two to every provider, for its own use.
  ["version", { kind: "string" }],
  ["pluginDownloadURL", { kind: "string" }],
]);

/** What only the official plugin takes. It is refused: ignored, the connection would not be as declared. */
const OFFICIAL_ONLY = new Set([
  "awsRdsIamAuth",
  "awsRdsIamProfile",
  "awsRdsIamProviderRoleArn",
  "awsRdsIamRegion",
  "azureIdentityAuth",
  "azureTenantId",
  "databaseUsername",
  "gcpIamImpersonateServiceAccount",
  "scheme",
  "sslMode",
]);

/**
 * Checks the configuration that a stack gives the `postgresql.Provider` of that name. The inputs are
 * returned unchanged, except that the password is marked as a secret.
 *
 * @throws SyntaxError when a number or a boolean is not JSON.
 */
export function checkConfig(
  name: string,
  news: Properties,
): { inputs: Properties; failures: Failure[] } {
  const failures = Object.entries(news).flatMap(
    ([key, value]) => problemWith(name, key, value) ?? [],
  );
  const { password } = news;
  return { inputs: password ? { ...news, password: secret(password) } : news, failures };
}

/**
 * The connection that a provider's configuration describes. What the configuration leaves out is taken
 * from libpq's environment variables, and then from defaults, as in the official plugin.
 * https://github.com/cyrilgdn/terraform-provider-postgresql/blob/main/postgresql/provider.go
 *
 * @throws Error that says which value cannot be used.
 */
export function connectionConfig(
  config: Properties,
  env: Readonly<Record<string, string | undefined>>,
): ConnectionConfig {
  const all = { ...config };
  for (const [key, { variable }] of KNOWN) {
    const fallback = variable === undefined ? undefined : env[variable];
    if (fallback && isUnset(all[key])) all[key] = fallback;
  }
  const [failure] = checkConfig("provider", all).failures;
  if (failure) throw new Error(failure.reason);

  const text = (key: string) => {
    const value = all[key];
    return typeof value === "string" && value !== "" ? value : undefined;
  };
  const integer = (key: string) => {
    const value = decoded(all[key]);
    return typeof value === "number" ? value : undefined;
  };
  const { cert, key } = clientCertificate(decoded(all.clientcert)) ?? {};
  return {
    host: text("host") ?? "localhost",
    port: integer("port") ?? 5432,
    database: text("database") ?? "postgres",
    username: text("username") ?? "postgres",
    password: text("password"),
    sslmode: sslModes.find((mode) => mode === all.sslmode) ?? "require",
    sslrootcert: text("sslrootcert"),
    sslcert: cert,
    sslkey: key,
    connectTimeout: integer("connectTimeout") ?? 180,
    maxConnections: integer("maxConnections") ?? 20,
  };
}

function isUnset(value: Value | undefined): boolean {
  return value === undefined || value === "";
}

function problemWith(name: string, key: string, value: Value): Failure | undefined {
  if (OFFICIAL_ONLY.has(key)) {
    return {
      property: key,
      reason: `The stand-in for the postgresql plugin takes no "${key}"; the official plugin does.`,
    };
  }
  const complaint = complaintAbout(key, value);
  return complaint === undefined
    ? undefined
    : {
        property: "",
        reason: `could not validate provider configuration: ${complaint}. Examine values at '${name}.${key}'.`,
      };
}

function complaintAbout(key: string, value: Value): string | undefined {
  const known = KNOWN.get(key);
  if (known === undefined) return "Invalid or unknown key";
  if (value === UNKNOWN || value === "") return undefined;
  if (known.kind === "string") {
    if (typeof value !== "string") return "expected a string";
    if (key === "sslmode" && !sslModes.some((mode) => mode === value)) {
      return `the stand-in for the postgresql plugin knows the values ${sslModes.join(", ")}`;
    }
    if (key === "expectedVersion" && !/^v?\d+(\.\d+){0,2}\b/.test(value)) {
      return `invalid version ("${value}")`;
    }
    return undefined;
  }
  const plain = decoded(value);
  if (known.kind === "certificate") {
    return clientCertificate(plain) === undefined
      ? "the stand-in for the postgresql plugin takes cert and key, as paths of files"
      : undefined;
  }
  if (known.kind === "boolean")
    return typeof plain === "boolean" ? undefined : "expected a boolean";
  if (!Number.isInteger(plain)) return "expected an integer";
  const [least, most] = key === "port" ? [1, 65_535] : [-1, 2 ** 31 - 1];
  return Number(plain) >= least && Number(plain) <= most
    ? undefined
    : `expected an integer from ${least} to ${most}`;
}

/** Reads the client's certificate; undefined where it is none, or not in two files. */
function clientCertificate(value: Value | undefined): { cert: string; key: string } | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  const { cert, key, sslinline = false } = value;
  if (typeof cert !== "string" || typeof key !== "string" || sslinline !== false) return undefined;
  return { cert, key };
}
