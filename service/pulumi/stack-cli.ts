import { execFile } from "node:child_process";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { setPriority } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import type { Stacks } from "./stacks/stacks";

/** Makes and removes stacks in the state backend by running the CLI. */
export interface StackCli {
  /**
   * Makes a stack.
   *
   * @param options.background Whether the CLI runs at a low priority, so that operations are not slowed down.
   * @returns the text of its settings file.
   * @throws Error of the CLI, mostly because the stack is there already.
   */
  readonly make: (name: string, options?: { background: boolean }) => Promise<string>;
  /**
   * Replaces a state that cannot be read, such as one that a full disk cut off, by an empty one. Nothing is
   * lost: the next run finds in the database what there is, and adopts it.
   *
   * @throws Error of the CLI.
   */
  readonly empty: (name: string) => Promise<void>;
  /**
   * Removes a stack, whatever its state holds, and its lock. Where there is no such stack, it removes the lock
   * that a CLI left which was killed while it made or removed the stack.
   *
   * @param withOther Lends the name of another stack, which such a lock asks for: see {@link Stacks.withOther}.
   * @throws Error of the CLI, or what `withOther` throws.
   */
  readonly remove: (name: string, withOther: Stacks["withOther"]) => Promise<void>;
}

const run = promisify(execFile);

/** How long a CLI may take to make or remove a stack before it counts as hung and is killed. */
const TIMEOUT_MS = 60_000;

/** @param settings.cwd A folder with Pulumi.yaml, to which nothing else writes. */
export function stackCli(settings: {
  readonly pulumi: string;
  readonly env: NodeJS.ProcessEnv;
  readonly cwd: string;
  /** Kills the CLIs that run. */
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
    // Not by the Automation API: it would also write the selected stack into the user's home.
    command(["stack", "init", name, "--secrets-provider", "passphrase", "--no-select"], background);
  /**
   * Makes a stack of a name whose left-over lock has `stack init` refused: makes one of another name and renames
   * it. Then `cancel`, which needs a stack, can remove the lock.
   */
  const occupy = async (name: string, other: string) => {
    try {
      await init(other, true);
      // A rename does not check the lock of the new name.
      await command(["stack", "rename", name, "--stack", other], true);
    } finally {
      for (const stack of [name, other]) rmSync(settingsOf(stack), { force: true });
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
    async remove(name, withOther) {
      const cancel = () => command(["cancel", name, "--yes"], true);
      await cancel().catch(async (error: unknown) => {
        if (!String(error).includes("no stack named")) throw error;
        await withOther((other) => occupy(name, other));
        await cancel();
      });
      await command(["stack", "rm", name, "--yes", "--force"], true);
    },
  };
}
