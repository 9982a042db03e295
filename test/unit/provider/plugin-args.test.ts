import * as pulumi from "@pulumi/pulumi";
import type { ConnectionSettings } from "../../../provider/database/settings";
import { pluginArgs } from "../../../provider/plugin-args";

const settings = {
  ...{ host: "db.example", port: 5433, database: "app", user: "ana", password: "p@ss" },
  ...{ sslmode: "verify-full", sslrootcert: "/ca", sslcert: "/cert", sslkey: "/key" },
} as unknown as ConnectionSettings;

/** Each argument's value, and whether it is a secret. */
async function argsFor(changed: object, options: { passwordFromEnvironment?: boolean } = {}) {
  const args = pluginArgs(pulumi.output({ ...settings, ...changed }), options);
  const known = Object.entries(args).map(async ([name, input]) => {
    const output: pulumi.Output<unknown> = pulumi.output(input as unknown);
    const value = await new Promise<unknown>((resolve) => output.apply(resolve));
    return [name, { value, isSecret: await pulumi.isSecret(output) }] as const;
  });
  return Object.fromEntries(await Promise.all(known));
}

const valuesOf = (args: Record<string, { readonly value: unknown }>) =>
  Object.fromEntries(Object.entries(args).map(([name, { value }]) => [name, value]));

test("the plugin connects as the other clients do, and asks the server for nothing more", async () => {
  expect(valuesOf(await argsFor({}))).toEqual({
    ...{ host: "db.example", port: 5433, database: "app", username: "ana", password: "p@ss" },
    ...{ sslmode: "verify-full", sslrootcert: "/ca", clientcert: { cert: "/cert", key: "/key" } },
    ...{ connectTimeout: 15, superuser: false, expectedVersion: "15.0.0" },
  });
});

test("the password alone is a secret", async () => {
  const args = await argsFor({});
  const secrets = Object.keys(args).filter((name) => args[name]?.isSecret);
  expect(secrets).toEqual(["password"]);
});

test("a password that the environment has is no argument, nor is one that is not there", async () => {
  const fromEnvironment = await argsFor({}, { passwordFromEnvironment: true });
  expect(fromEnvironment.password?.value).toBeUndefined();
  expect((await argsFor({ password: undefined })).password?.value).toBeUndefined();
});

test.each(["sslcert", "sslkey"])("without %s no certificate is shown", async (name) => {
  expect((await argsFor({ [name]: undefined })).clientcert?.value).toBeUndefined();
});

test("a preview that does not know the settings gives none", () => {
  expect(pluginArgs(undefined, {})).toEqual({});
});
