import {
  engineEnvironment,
  providerEnvironments,
} from "../../../service/pulumi/engine-environment";
import { fastest } from "../../../service/config/engine-options";

const settings = {
  engine: { PATH: "/engine/bin:/usr/bin", PULUMI_SKIP_UPDATE_CHECK: "true" },
  databaseUrl: "postgres://app:p%40ss@db.example/app",
  backendUrl: "s3://states",
  passphrase: "correct horse battery",
  migrationsDir: "/product/migrations",
  engineOptions: fastest,
};

test("the engine runs with what it needs, the password apart from its URL", () => {
  expect(engineEnvironment(settings)).toMatchObject({
    PATH: "/engine/bin:/usr/bin",
    PULUMI_SKIP_UPDATE_CHECK: "true",
    DATABASE_URL: "postgres://app:p%40ss@db.example/app",
    PGPASSWORD: "p@ss",
    PULUMI_BACKEND_URL: "s3://states",
    PULUMI_CONFIG_PASSPHRASE: "correct horse battery",
    TENANT_MIGRATIONS_DIR: "/product/migrations",
  });
});

test("the engine keeps no copies of states, which would outlive a purge", () => {
  expect(engineEnvironment(settings)).toMatchObject({
    PULUMI_DIY_BACKEND_DISABLE_CHECKPOINT_BACKUPS: "true",
  });
});

test("the program is told the product's roles; an operator's own variable never counts", () => {
  process.env.PRODUCT_ROLES = "somebody";
  const roles = (productRoles?: readonly string[]) =>
    engineEnvironment({ ...settings, ...(productRoles && { productRoles }) }).PRODUCT_ROLES;
  expect(roles(["app", "reports"])).toBe("app,reports");
  expect(roles([])).toBeUndefined();
  expect(roles()).toBeUndefined();
});

test("a provider that is kept running has what it connects with, and not the engine's secrets", () => {
  const { "pulumi-nodejs": dynamic, postgresql } = providerEnvironments({
    ...{ PATH: "/bin", LC_ALL: "C", NODE_OPTIONS: "--trace-warnings", PGPASSWORD: "p@ss" },
    ...{ DATABASE_URL: "postgres://db.example/app", PULUMI_CONFIG_PASSPHRASE: "correct horse" },
    ...{ PULUMI_BACKEND_URL: "s3://states", AWS_ACCESS_KEY_ID: "key", MY_PATH: "/x", XPGUSER: "x" },
  });
  const both = { PATH: "/bin", LC_ALL: "C", NODE_OPTIONS: "--trace-warnings", PGPASSWORD: "p@ss" };
  expect(postgresql).toEqual(both);
  expect(dynamic).toEqual({ ...both, DATABASE_URL: "postgres://db.example/app" });
});

test("the engine keeps the rest of the environment, such as a cloud's credentials", () => {
  process.env.AWS_ACCESS_KEY_ID = "key";
  expect(engineEnvironment(settings).AWS_ACCESS_KEY_ID).toBe("key");
});

test("the engine never has what tokens are verified with", () => {
  process.env.JWT_SECRET = "secret";
  process.env.JWT_PUBLIC_KEY = "key";
  const { JWT_SECRET, JWT_PUBLIC_KEY } = engineEnvironment(settings);
  expect([JWT_SECRET, JWT_PUBLIC_KEY]).toEqual([undefined, undefined]);
});

test("a URL without a password leaves PGPASSWORD to the operator", () => {
  process.env.PGPASSWORD = "the operator's";
  const env = engineEnvironment({ ...settings, databaseUrl: "postgres://app@db.example/app" });
  expect(env.PGPASSWORD).toBe("the operator's");
});

test("the state is saved once for each run, unless that way is turned off", () => {
  expect(engineEnvironment(settings)).toMatchObject({
    PULUMI_EXPERIMENTAL: "true",
    PULUMI_SKIP_CHECKPOINTS: "true",
    GOGC: "off",
  });
  const slow = engineEnvironment({
    ...settings,
    engineOptions: { ...fastest, skipCheckpoints: false },
  });
  expect(Object.keys(slow)).not.toContain("PULUMI_SKIP_CHECKPOINTS");
});
