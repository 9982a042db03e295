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

/** A piece that is there and fits. */
export interface Piece {
  readonly name: PieceName;
  /** Without the leading v. A stand-in has the version that it stands for. */
  readonly version: string;
  readonly origin: Origin;
  /** Of its executable. */
  readonly path: string;
}

/** A piece that is there and was not taken. */
export interface PassedOver extends Pick<Piece, "name" | "origin" | "path"> {
  /** Such as `it is version 3.17.0, and 3.18.0 or a later version 3 is needed`. */
  readonly reason: string;
}

/** One line for the user: which piece was passed over, and why. */
export function toldOf({ name, origin, path, reason }: PassedOver): string {
  return `${name}: ${path} (${origin}) is not used: ${reason}`;
}
