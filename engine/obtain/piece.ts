import pulumiPackage from "@pulumi/pulumi/package.json";
import postgresqlPackage from "@pulumi/postgresql/package.json";
import { satisfies } from "semver";

/** The pieces that Pulumi needs to run this project's programs, and the file name of each. */
export const executables = {
  "Pulumi CLI": "pulumi",
  "Node language host": "pulumi-language-nodejs",
  "postgresql plugin": "pulumi-resource-postgresql",
  "dynamic provider": "pulumi-resource-pulumi-nodejs",
} as const;

export type PieceName = keyof typeof executables;

/**
 * Where a piece came from: found on the `PATH` or in Pulumi's own directory, an official download,
 * built from its Go module, this project's stand-in, or an npm package.
 */
export type Origin = "PATH" | "~/.pulumi" | "download" | "built" | "stand-in" | "npm package";

/** A piece that was found, or made, and fits. */
export interface Piece {
  readonly name: PieceName;
  /** Without the leading v. A stand-in has the version of the official piece that it replaces. */
  readonly version: string;
  readonly origin: Origin;
  /** The path of its executable. */
  readonly path: string;
}

/** A piece that was found and is not used, because it does not fit or does not work. */
export interface RejectedPiece extends Pick<Piece, "name" | "origin" | "path"> {
  /** Such as `it is version 3.17.0, and 3.18.0 or a later version 3 is needed`. */
  readonly reason: string;
}

/** One line for the user: which piece is not used, and why. */
export function describeRejected({ name, origin, path, reason }: RejectedPiece): string {
  return `${name}: ${path} (${origin}) is not used: ${reason}`;
}

/**
 * The versions of the npm packages that are installed: the CLI and its language host are released
 * together with @pulumi/pulumi, the plugin with @pulumi/postgresql. What is downloaded or built has just
 * these versions; what the user has installed may be newer.
 */
export const requiredVersions = {
  cli: pulumiPackage.version,
  postgresqlPlugin: postgresqlPackage.pulumi.version,
} as const;

/**
 * The oldest postgresql plugin that is taken, which is older than the one that the npm package names.
 * `Schema` is the same in both, and the stand-in is tested against answers that were recorded from this
 * one.
 */
export const oldestPostgresqlPlugin = "3.18.0";

/** Whether `version` will do where `required` is needed: the same major version, and no older one. */
export function fits(version: string, required: string): boolean {
  return satisfies(version, `^${required}`, { includePrerelease: true });
}
