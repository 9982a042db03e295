import { checkConfig, connectionConfig } from "../../../engine/standins/postgresql/config";
import { UNKNOWN } from "../../../engine/standins/postgresql/properties";

test("a provider that says nothing is libpq's variables, and then the official defaults", () => {
  expect(connectionConfig({}, {})).toEqual({
    host: "localhost",
    port: 5432,
    database: "postgres",
    username: "postgres",
    password: undefined,
    sslmode: "require",
    sslrootcert: undefined,
    sslcert: undefined,
    sslkey: undefined,
    connectTimeout: 180,
    maxConnections: 20,
  });
  const env = {
    PGHOST: "db.example.com",
    PGPORT: "6432",
    PGDATABASE: "app",
    PGUSER: "owner",
    PGPASSWORD: "secret",
    PGSSLMODE: "verify-full",
    PGCONNECT_TIMEOUT: "3",
  };
  const tls = { sslrootcert: "/ca.pem", clientcert: '{"cert":"/c.pem","key":"/k.pem"}' };
  expect(connectionConfig({ database: "other", maxConnections: "2", ...tls }, env)).toEqual({
    host: "db.example.com",
    port: 6432,
    database: "other",
    username: "owner",
    password: "secret",
    sslmode: "verify-full",
    sslrootcert: "/ca.pem",
    sslcert: "/c.pem",
    sslkey: "/k.pem",
    connectTimeout: 3,
    maxConnections: 2,
  });
});

test("a variable that cannot be used is named before anything connects", () => {
  expect(() => connectionConfig({}, { PGSSLMODE: "prefer" })).toThrow(
    /knows the values disable, require, verify-ca, verify-full.*provider\.sslmode/,
  );
});

test("values that are not known yet pass", () => {
  const news = { host: UNKNOWN, port: UNKNOWN, superuser: UNKNOWN, sslmode: UNKNOWN };
  expect(checkConfig("pg", news)).toEqual({ inputs: news, failures: [] });
});

test("an empty value is one that is not set", () => {
  expect(checkConfig("pg", { port: "", superuser: "", sslmode: "" }).failures).toEqual([]);
  expect(connectionConfig({ host: "", port: "" }, { PGHOST: "h" })).toMatchObject({
    host: "h",
    port: 5432,
  });
});

test.each([
  ["awsRdsIamAuth", "true"],
  ["gcpIamImpersonateServiceAccount", "a"],
  ["scheme", "awspostgres"],
])("%s is refused, for the stand-in would ignore it", (key, value) => {
  expect(checkConfig("pg", { [key]: value }).failures).toEqual([
    {
      property: key,
      reason: `The stand-in for the postgresql plugin takes no "${key}"; the official plugin does.`,
    },
  ]);
});

const certificateFault =
  "the stand-in for the postgresql plugin takes cert and key, as paths of files";

test.each([
  ["port", "0", "expected an integer from 1 to 65535"],
  ["port", "5432.5", "expected an integer"],
  ["port", '"5432"', "expected an integer"],
  ["connectTimeout", "-2", "expected an integer from -1 to 2147483647"],
  ["superuser", "1", "expected a boolean"],
  ["host", 5, "expected a string"],
  ["expectedVersion", "newest", 'invalid version ("newest")'],
  ["constructor", "x", "Invalid or unknown key"],
  ["clientcert", '{"cert":"/c.pem"}', certificateFault],
  ["clientcert", '{"cert":"c","key":"k","sslinline":true}', certificateFault],
])("%s: %j is a fault", (key, value, complaint) => {
  expect(checkConfig("pg", { [key]: value }).failures).toEqual([
    {
      property: "",
      reason: `could not validate provider configuration: ${complaint}. Examine values at 'pg.${key}'.`,
    },
  ]);
});

test.each([
  ["none", "invalid character 'o' in literal null (expecting 'u')"],
  ["tru", "unexpected end of JSON input"],
  ["nullx", "invalid character 'x' after top-level value"],
  ["54x", "invalid character 'x' after top-level value"],
  ["abc", "invalid character 'a' looking for beginning of value"],
  [" ", "unexpected end of JSON input"],
])("a port of %j gets the complaint of Go's JSON decoder", (port, complaint) => {
  expect(() => checkConfig("pg", { port })).toThrow(complaint);
});
