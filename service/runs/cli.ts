import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { PulumiCommand } from "@pulumi/pulumi/automation";

const run = promisify(execFile);

let known: Promise<PulumiCommand> | undefined;

/** The CLI on the PATH, found once for the process: each look starts it to ask its version. */
export function pulumiCommand(): Promise<PulumiCommand> {
  known ??= PulumiCommand.get().catch((error: unknown) => {
    known = undefined;
    throw error;
  });
  return known;
}

/**
 * Makes a stack, in this process's project and backend.
 *
 * @returns why it could not be made, which is mostly that it is there; undefined when it was made.
 * The Automation API would also write which stack is selected into the user's home.
 */
export async function initStack(name: string): Promise<Error | undefined> {
  const { command } = await pulumiCommand();
  const init = ["stack", "init", name, "--secrets-provider", "passphrase", "--no-select"];
  return run(command, [...init, "--non-interactive"]).then(
    () => undefined,
    (error: unknown) => asError(error),
  );
}

/** With the signal that ended the CLI, of which execFile's message says nothing. */
function asError(error: unknown): Error {
  if (!(error instanceof Error)) return new Error(String(error));
  const { signal } = error as Error & { signal?: string | null };
  return signal ? new Error(`Command was killed with ${signal}`, { cause: error }) : error;
}
