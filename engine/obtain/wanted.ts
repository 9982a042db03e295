import pulumiPackage from "@pulumi/pulumi/package.json";
import postgresqlPackage from "@pulumi/postgresql/package.json";
import { satisfies } from "semver";

/**
 * The versions that fit the installed npm packages, and so package.json: the CLI and its language
 * host are released together with @pulumi/pulumi, the plugin with @pulumi/postgresql.
 */
export const wanted = {
  cli: pulumiPackage.version,
  postgresqlPlugin: postgresqlPackage.pulumi.version,
} as const;

/**
 * The oldest postgresql plugin that is taken. `Schema` is the same in it as in the one that the npm
 * package names, and the recorded answers that the stand-in is tested against are its own.
 */
export const oldestPostgresqlPlugin = "3.18.0";

/** Whether `version` can stand for `wanted`: the same major version, and no older. */
export function fits(version: string, wanted: string): boolean {
  return satisfies(version, `^${wanted}`, { includePrerelease: true });
}
