import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
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
  /**
   * Removes a stack, whatever is in its state or holds its lock. Of one that is not there, the lock that
   * a CLI may have left that was killed while it made it, or removed it.
   *
   * @throws Error of the CLI.
   */
  readonly remove: (name: string) => Promise<void>;
}

const run = promisify(execFile);

/** After how many ms a CLI that makes or removes a stack counts as hung and is ended. */
const TIMEOUT_MS = 60_000;

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
    const options = { env, cwd, signal, timeout: TIMEOUT_MS };
    const running = run(pulumi, [...args, "--non-interactive"], options);
    if (background && running.child.pid !== undefined) setPriority(running.child.pid, 10);
    await running;
  };
  const settingsOf = (name: string) => path.join(cwd, `Pulumi.${name}.yaml`);
  const init = (name: string, background: boolean) =>
    // The Automation API would also write which stack is selected into the user's home.
    command(["stack", "init", name, "--secrets-provider", "passphrase", "--no-select"], background);
  /** Puts a new stack in the place of one that is not there, and whose lock lets none be made there. */
  const occupy = async (name: string) => {
    const another = `${name}-${randomBytes(4).toString("hex")}`;
    try {
      await init(another, true);
      // Of the new name's lock it takes no notice.
      await command(["stack", "rename", name, "--stack", another], true);
    } finally {
      for (const stack of [name, another]) rmSync(settingsOf(stack), { force: true });
    }
  };
  return {
    async make(name, { background } = { background: false }) {
      try {
        await init(name, background);
        return readFileSync(settingsOf(name), "utf8");
      } finally {
        rmSync(settingsOf(name), { force: true });
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
      const cancel = () => command(["cancel", name, "--yes"], true);
      await cancel().catch(async (error: unknown) => {
        if (!String(error).includes("no stack named")) throw error;
        await occupy(name);
        await cancel();
      });
      await command(["stack", "rm", name, "--yes", "--force"], true);
    },
  };
}
