import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { PulumiCommand } from "@pulumi/pulumi/automation";

let known: Promise<PulumiCommand> | undefined;

/**
 * The CLI on the PATH. Looked up once for the process, because each lookup starts the CLI to ask its version.
 *
 * @throws Error of the Automation API where there is none, or too old a one; the next call looks again.
 */
export function pulumiCommand(): Promise<PulumiCommand> {
  known ??= PulumiCommand.get().catch((error: unknown) => {
    known = undefined;
    throw error;
  });
  return known;
}

/**
 * Tries whether the CLI starts and opens the state backend.
 *
 * @param pulumi Absolute path of the CLI.
 * @returns what is wrong, in one line; undefined when it works.
 */
export async function tryCli(
  pulumi: string,
  env: NodeJS.ProcessEnv,
  cwd: string,
): Promise<string | undefined> {
  try {
    // `whoami` opens the backend before it answers.
    await promisify(execFile)(pulumi, ["whoami", "--non-interactive"], {
      env,
      cwd,
      timeout: 15_000,
    });
    return undefined;
  } catch (error) {
    const { stderr = "", message } = error as Error & { stderr?: string };
    const said = stderr.split("\n").find((line) => line.startsWith("error:"));
    return said?.replace("error: ", "") ?? message.split("\n")[0] ?? "it does not start";
  }
}
