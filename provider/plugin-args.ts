import type * as postgresql from "@pulumi/postgresql";
import * as pulumi from "@pulumi/pulumi";
import type { ConnectionSettings } from "./database/settings";

/**
 * What the postgresql plugin is configured with, so that it connects as the other clients do.
 *
 * @param settings Undefined in a preview that does not know them; the plugin makes no connection then.
 * @returns only the password as a secret, whatever the settings come from.
 */
export function pluginArgs(
  settings: pulumi.Output<ConnectionSettings> | undefined,
  { passwordFromEnvironment = false }: { readonly passwordFromEnvironment?: boolean },
): postgresql.ProviderArgs {
  if (settings === undefined) return {};
  const known = pulumi.unsecret(settings);
  const part = <T>(choose: (settings: ConnectionSettings) => pulumi.Input<T> | undefined) =>
    // The SDK leaves out an input that turns out to be undefined, but has no type for it.
    known.apply(choose) as pulumi.Output<T>;
  return {
    host: part(({ host }) => host),
    port: part(({ port }) => port),
    database: part(({ database }) => database),
    username: part(({ user }) => user),
    password: part(({ password }) =>
      password === undefined || passwordFromEnvironment ? undefined : pulumi.secret(password),
    ),
    sslmode: part(({ sslmode }) => sslmode),
    sslrootcert: part(({ sslrootcert }) => sslrootcert),
    clientcert: part(({ sslcert, sslkey }) =>
      sslcert === undefined || sslkey === undefined ? undefined : { cert: sslcert, key: sslkey },
    ),
    connectTimeout: 15,
    // Given, so that the plugin does not ask the server for them at each start. The role needs no
    // superuser's rights, and the plugin is to use none.
    superuser: false,
    expectedVersion: "15.0.0",
  };
}
