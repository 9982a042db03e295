import { accessSync, constants, statSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join, resolve } from "node:path";

import { requiredVersions } from "./piece";

/** Where pieces are looked for, and where they are made. */
export interface Places {
  /** The directory that everything is made in: `.engine`. */
  readonly engine: string;
  /** The user's environment: PATH, PULUMI_HOME, HOME and the proxies are read from it, and tools get it. */
  readonly environment: NodeJS.ProcessEnv;
}

/** Where earlier runs put what they made, below `.engine`. */
export const made = {
  /** The root of the official installation script. */
  download: ({ engine }: Places) => join(engine, "download"),
  /** The built CLI, and beside it, as in an official installation, what it looks for there. */
  bin: ({ engine }: Places) => join(engine, "bin"),
  plugins: ({ engine }: Places) => join(engine, "plugins"),
  standIns: ({ engine }: Places) => join(engine, "standins"),
  /** A link to a CLI that is not in a directory `bin`. */
  link: ({ engine }: Places) => join(engine, "link"),
  /** Work in progress, of no use once the process that does it has ended. */
  unfinished: ({ engine }: Places) => join(engine, "tmp"),
};

/** The directory that Pulumi gives the plugin in its plugin cache. */
export const pluginDirectory = `resource-postgresql-v${requiredVersions.postgresqlPlugin}`;

/** The checkout that this file belongs to. */
export const checkout = resolve(__dirname, "..", "..", "..");

/** `.engine` of this checkout, and the environment of this process. */
export function usualPlaces(): Places {
  return { engine: join(checkout, ".engine"), environment: process.env };
}

/** Pulumi's own directory. Source: https://www.pulumi.com/docs/iac/cli/environment-variables/ */
export function pulumiHome({ environment }: Places): string {
  return environment.PULUMI_HOME ?? join(environment.HOME ?? homedir(), ".pulumi");
}

/** Every executable of that name on the PATH, in the order of the PATH. */
export function onPath(name: string, path: string | undefined): string[] {
  return (path ?? "")
    .split(delimiter)
    .filter((directory) => directory !== "")
    .map((directory) => resolve(directory, name))
    .filter(isExecutable);
}

/** The user's PATH, without the folders of `.engine` that child-environment.ts puts before it. */
export function usersPath({ engine, environment }: Places): string {
  return (environment.PATH ?? "")
    .split(delimiter)
    .filter((directory) => !resolve(directory).startsWith(`${engine}/`))
    .join(delimiter);
}

/** Whether there is a file that this account may run. */
export function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
