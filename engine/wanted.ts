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

/** Whether `version` can stand for `wanted`: the same major version, and no older. */
export function fits(version: string, wanted: string): boolean {
  return satisfies(version, `^${wanted}`, { includePrerelease: true });
}
