import { PulumiCommand } from "@pulumi/pulumi/automation";

let known: Promise<PulumiCommand> | undefined;

/** The CLI on the PATH, found once for the process: each look starts it to ask its version. */
export function pulumiCommand(): Promise<PulumiCommand> {
  known ??= PulumiCommand.get().catch((error: unknown) => {
    known = undefined;
    throw error;
  });
  return known;
}
