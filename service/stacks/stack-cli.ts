import { execFile } from "node:child_process";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { setPriority } from "node:os";
import path from "node:path";
import { promisify } from "node:util";

/** Makes and removes stacks in the state backend, by the CLI. */
export interface StackCli {
  /**
   * Makes a stack.
   *
   * @param options.background Whether others go first.
   * @returns its settings file.
   * @throws Error of the CLI, mostly because the stack is there already.
   */
  readonly make: (name: string, options?: { background: boolean }) => Promise<string>;
  /**
   * Gives a stack an empty state in the place of one that cannot be read: a disk that was full leaves
   * half of it. The next run finds in the database what there is.
   *
   * @throws Error of the CLI.
   */
  readonly empty: (name: string) => Promise<void>;
  /** Removes a stack, whatever is in its state or holds its lock. One that is not there is no error. */
  readonly remove: (name: string) => Promise<void>;
}

const run = promisify(execFile);

/** @param settings.cwd A folder with Pulumi.yaml, which nobody else writes to. */
export function stackCli(settings: {
  readonly pulumi: string;
  readonly env: NodeJS.ProcessEnv;
  readonly cwd: string;
  /** Ends what runs. */
  readonly signal: AbortSignal;
}): StackCli {
  const { pulumi, env, cwd, signal } = settings;
  const command = async (args: string[], background: boolean): Promise<void> => {
    const running = run(pulumi, [...args, "--non-interactive"], { env, cwd, signal });
    if (background && running.child.pid !== undefined) setPriority(running.child.pid, 10);
    await running;
  };
  return {
    async make(name, { background } = { background: false }) {
      const file = path.join(cwd, `Pulumi.${name}.yaml`);
      try {
        // The Automation API would also write which stack is selected into the user's home.
        const args = ["stack", "init", name, "--secrets-provider", "passphrase", "--no-select"];
        await command(args, background);
        return readFileSync(file, "utf8");
      } finally {
        rmSync(file, { force: true });
      }
    },
    async empty(name) {
      const file = path.join(cwd, `${name}.json`);
      const manifest = { time: new Date().toISOString(), magic: "", version: "" };
      try {
        writeFileSync(file, JSON.stringify({ version: 3, deployment: { manifest } }));
        await command(["stack", "import", "--stack", name, "--file", file, "--force"], false);
      } finally {
        rmSync(file, { force: true });
      }
    },
    async remove(name) {
      await command(["cancel", name, "--yes"], true).catch(() => undefined);
      await command(["stack", "rm", name, "--yes", "--force"], true).catch((error: unknown) => {
        if (!String(error).includes("no stack named")) throw error;
      });
    },
  };
}
