import { generateKeyPairSync } from "node:crypto";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import path from "node:path";
import { tenantMigrationsDir } from "../../../provider/database/migrations";
import { readServiceConfig } from "../../../service/config/config";
import { EnvironmentError } from "../../../service/config/variables";

const dataDir = mkdtempSync(path.join(tmpdir(), "config-test-"));
afterAll(() => rmSync(dataDir, { recursive: true }));

const embedded = { DATA_DIR: dataDir };
const complete = {
  DATABASE_URL: "postgres://app:s3cret@db.example/app",
  JWT_SECRET: "0123456789-abcdefghijklmnopqrstuvwxyz",
  PULUMI_BACKEND_URL: "s3://states",
  PULUMI_CONFIG_PASSPHRASE: "correct horse battery",
  TENANT_MIGRATIONS_DIR: tenantMigrationsDir,
};

/** The lines that stop the start. */
function faultsOf(env: NodeJS.ProcessEnv): readonly string[] {
  try {
    readServiceConfig(env);
  } catch (error) {
    if (error instanceof EnvironmentError) return error.lines;
    throw error;
  }
  return [];
}

describe("without DATABASE_URL", () => {
  test("everything has a value, on loopback", () => {
    expect(readServiceConfig(embedded)).toMatchObject({
      databaseUrl: undefined,
      host: "127.0.0.1",
      port: 3000,
      backendUrl: `file://${dataDir}/state`,
      migrationsDir: tenantMigrationsDir,
      ...{ purgeAfterDays: 30, purges: true, productRoles: [] },
      logLevel: "info",
    });
  });

  test("deleted tenants are kept as long as is said, purged by themselves or not, and the product's roles are a list", () => {
    const env = { RETENTION_DAYS: "7", PURGE: "off", PRODUCT_ROLES: "shop, Shop Reports" };
    expect(readServiceConfig({ ...embedded, ...env })).toMatchObject({
      ...{ purgeAfterDays: 7, purges: false, productRoles: ["shop", "Shop Reports"] },
    });
    expect(faultsOf({ ...embedded, PURGE: "no", PRODUCT_ROLES: "shop,,pg_read_all_data" })).toEqual(
      [
        "PRODUCT_ROLES must not be empty",
        "PRODUCT_ROLES is no role that can be the product's",
        "PURGE must be on or off",
      ],
    );
  });

  test("the secrets are random, stay from start to start, and are their owner's only", () => {
    const first = readServiceConfig(embedded);
    const second = readServiceConfig(embedded);
    expect(first.developmentSecret).toMatch(/^[\w-]{64}$/);
    expect(first.passphrase).toMatch(/^[\w-]{32}$/);
    expect(second).toEqual(first);
    expect(statSync(path.join(dataDir, "secrets.json")).mode & 0o777).toBe(0o600);

    const elsewhere = mkdtempSync(path.join(tmpdir(), "config-test-"));
    const other = readServiceConfig({ DATA_DIR: elsewhere });
    rmSync(elsewhere, { recursive: true });
    expect(other.developmentSecret).not.toBe(first.developmentSecret);
    expect(other.passphrase).not.toBe(first.passphrase);
  });

  test.each(["0.0.0.0", "::", "192.168.1.5", "example.com", "127.0.0.1.example.com"])(
    "the host %s is refused",
    (HOST) => {
      expect(faultsOf({ ...embedded, HOST })).toEqual([
        "HOST must be a loopback address without DATABASE_URL: unset HOST, or set DATABASE_URL",
      ]);
    },
  );

  test.each(["localhost", "::1", "127.0.0.2"])("the host %s is loopback", (HOST) => {
    expect(readServiceConfig({ ...embedded, HOST }).host).toBe(HOST);
  });

  test("a public key means that there is no development token", () => {
    const { publicKey } = generateKeyPairSync("ed25519");
    const pem = publicKey.export({ type: "spki", format: "pem" }).toString();
    expect(
      readServiceConfig({ ...embedded, JWT_PUBLIC_KEY: pem, JWT_AUDIENCE: "tenants" })
        .developmentSecret,
    ).toBeUndefined();
  });
});

describe("with DATABASE_URL", () => {
  test("the environment is what it says", () => {
    const config = readServiceConfig({
      ...complete,
      HOST: "0.0.0.0",
      PORT: "8080",
      JWT_ISSUER: "https://id.example",
      JWT_AUDIENCE: "tenants",
      SETUP_CONCURRENCY: "3",
      LOG_LEVEL: "warn",
    });
    expect(config).toMatchObject({
      databaseUrl: complete.DATABASE_URL,
      host: "0.0.0.0",
      port: 8080,
      backendUrl: "s3://states",
      passphrase: "correct horse battery",
      developmentSecret: undefined,
      concurrency: 3,
      logLevel: "warn",
      tokens: { algorithms: ["HS256"], issuer: "https://id.example", audience: "tenants" },
    });
  });

  test("what is missing is told, a line each, with what to set", () => {
    expect(faultsOf({ DATABASE_URL: complete.DATABASE_URL })).toEqual([
      expect.stringMatching(/^PULUMI_BACKEND_URL is not set: set it to /),
      expect.stringMatching(/^PULUMI_CONFIG_PASSPHRASE is not set: set it to /),
      expect.stringMatching(/^TENANT_MIGRATIONS_DIR is not set: set it to the folder /),
      expect.stringMatching(/^JWT_SECRET is not set: set it to /),
    ]);
  });

  test("nothing is made up", () => {
    const elsewhere = path.join(dataDir, "untouched");
    readServiceConfig({ ...complete, DATA_DIR: elsewhere });
    expect(() => statSync(elsewhere)).toThrow("ENOENT");
  });

  test("everything that is weak or wrong is told, and no value repeated", () => {
    const faults = faultsOf({
      DATABASE_URL: "mysql://root:hunter2hunter2@db/app",
      JWT_SECRET: "hunter2hunter2",
      PULUMI_BACKEND_URL: "https://api.pulumi.com",
      PULUMI_CONFIG_PASSPHRASE: "hunter2",
      TENANT_MIGRATIONS_DIR: "/nowhere",
      PORT: "http",
      SETUP_CONCURRENCY: "0",
      LOG_LEVEL: "loud",
    });
    expect(faults).toEqual([
      "DATABASE_URL must start with postgres:// or postgresql://",
      "PORT must be a whole number",
      "JWT_SECRET must have at least 32 bytes",
      "JWT_SECRET must be random, not a repeated pattern",
      "PULUMI_BACKEND_URL must start with file://, s3://, gs://, azblob:// or postgres://",
      "PULUMI_CONFIG_PASSPHRASE must have at least 12 characters",
      "TENANT_MIGRATIONS_DIR the migrations' folder /nowhere cannot be read",
      "SETUP_CONCURRENCY must be from 1 to 64",
      "LOG_LEVEL must be one of fatal, error, warn, info, debug, silent",
    ]);
  });

  test("a secret of 32 times one letter is weak", () => {
    expect(faultsOf({ ...complete, JWT_SECRET: "a".repeat(32) })).toEqual([
      "JWT_SECRET must be random, not a repeated pattern",
    ]);
  });

  test.each([...Object.keys(complete), "JWT_ISSUER", "JWT_AUDIENCE", "HOST"])(
    "%s that is empty stops the start",
    (name) => {
      expect(faultsOf({ ...complete, [name]: "" })).toEqual([
        `${name} is set but empty: give it a value, or unset it`,
      ]);
    },
  );

  test("secret and public key together are refused", () => {
    const { publicKey } = generateKeyPairSync("ed25519");
    const pem = publicKey.export({ type: "spki", format: "pem" }).toString();
    expect(faultsOf({ ...complete, JWT_PUBLIC_KEY: pem, JWT_AUDIENCE: "tenants" })).toEqual([
      "JWT_SECRET and JWT_PUBLIC_KEY are both set: unset the one that signs no tokens",
    ]);
  });
});

describe("PULUMI_BACKEND_URL", () => {
  test.each([
    ["file:///var/states", "file:///var/states"],
    ["file://~", `file://${homedir()}`],
    ["file://~/states?no_tmp_dir=true", `file://${homedir()}/states?no_tmp_dir=true`],
    ["file://./states", `file://${process.cwd()}/states`],
    ["s3://bucket?region=eu-west-1", "s3://bucket?region=eu-west-1"],
    ["postgres://u:p@db/states", "postgres://u:p@db/states"],
  ])("%s is %s for every run", (given, used) => {
    expect(readServiceConfig({ ...complete, PULUMI_BACKEND_URL: given }).backendUrl).toBe(used);
  });

  test("that names no folder is refused", () => {
    expect(faultsOf({ ...complete, PULUMI_BACKEND_URL: "file://" })).toEqual([
      "PULUMI_BACKEND_URL names no folder",
    ]);
  });
});

describe("JWT_PUBLIC_KEY", () => {
  const others = { ...complete, JWT_SECRET: undefined, JWT_AUDIENCE: "tenants" };
  const pemOf = (key: ReturnType<typeof generateKeyPairSync>["publicKey"]) =>
    key.export({ type: "spki", format: "pem" }).toString();
  const faultsOfKey = (pem: string) => faultsOf({ ...others, JWT_PUBLIC_KEY: pem });

  test.each([
    ["RSA", generateKeyPairSync("rsa", { modulusLength: 2048 }).publicKey, ["RS256"]],
    ["EC", generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey, ["ES256"]],
    ["Ed25519", generateKeyPairSync("ed25519").publicKey, ["EdDSA", "Ed25519"]],
  ])("of type %s allows its own algorithm and no other", (_, key, algorithms) => {
    const pem = pemOf(key);
    const config = readServiceConfig({ ...others, JWT_PUBLIC_KEY: pem });
    expect(config.tokens.algorithms).toEqual(algorithms);
    const oneLine = readServiceConfig({ ...others, JWT_PUBLIC_KEY: pem.replaceAll("\n", "\\n") });
    expect(oneLine.tokens.algorithms).toEqual(algorithms);
  });

  test.each([
    ["with DATABASE_URL", { ...others, JWT_AUDIENCE: undefined }],
    ["in embedded mode", embedded],
  ])("needs the audience that means this service, %s", (_, env) => {
    const { publicKey } = generateKeyPairSync("ed25519");
    expect(faultsOf({ ...env, JWT_PUBLIC_KEY: pemOf(publicKey) })).toEqual([
      "JWT_AUDIENCE is not set: set it to the audience (claim aud) by which the tokens for this service " +
        "name it, because JWT_PUBLIC_KEY verifies tokens for others too",
    ]);
  });

  test("that is something else is refused, and says what", () => {
    const { privateKey } = generateKeyPairSync("ed25519");
    const privatePem = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
    expect(faultsOfKey("nonsense")).toEqual(["JWT_PUBLIC_KEY is not a public key in PEM form"]);
    expect(faultsOfKey(privatePem)).toEqual([
      "JWT_PUBLIC_KEY holds a private key; set it to the public one",
    ]);
    expect(
      faultsOfKey(pemOf(generateKeyPairSync("rsa", { modulusLength: 1024 }).publicKey)),
    ).toEqual(["JWT_PUBLIC_KEY is an RSA key of less than 2048 bits"]);
    expect(
      faultsOfKey(pemOf(generateKeyPairSync("ec", { namedCurve: "P-384" }).publicKey)),
    ).toEqual(["JWT_PUBLIC_KEY is an EC key on another curve than P-256"]);
    expect(faultsOfKey(pemOf(generateKeyPairSync("x25519").publicKey))).toEqual([
      "JWT_PUBLIC_KEY is of a type that is not supported: use RSA, EC P-256 or Ed25519",
    ]);
  });
});
