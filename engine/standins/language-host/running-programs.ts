import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { RunResponse } from "@pulumi/pulumi/proto/language_pb";
import type { Command } from "./command";

/** How long a program may take to end after SIGINT. Then it gets SIGKILL. */
const INTERRUPT_TIMEOUT_MS = 5_000;

/** The exit code of `@pulumi/pulumi/cmd/run` when it has shown the user the error itself; see its index.js. */
const ALREADY_REPORTED = 32;

/** The Pulumi programs that this language host has started and that still run. */
export class RunningPrograms {
  private readonly running = new Set<ChildProcess>();

  /**
   * Runs a program to its end. It writes to this process's stdout and stderr, which the engine
   * shows.
   *
   * @param onCancel gets a function that ends the program early.
   */
  async run(command: Command, onCancel: (cancel: () => void) => void): Promise<RunResponse> {
    const child = spawn(process.execPath, command.args, {
      env: { ...process.env, ...command.env },
      stdio: ["ignore", "inherit", "inherit"],
    });
    this.running.add(child);
    onCancel(() => interrupt(child));
    try {
      const [code, signal] = (await once(child, "exit")) as [number | null, string | null];
      return outcome(code, signal);
    } finally {
      this.running.delete(child);
    }
  }

  /** Ends every program, and waits until all have ended. */
  async close(): Promise<void> {
    await Promise.all(
      [...this.running].map(async (child) => {
        const exit = once(child, "exit");
        interrupt(child);
        await exit;
      }),
    );
  }
}

function interrupt(child: ChildProcess): void {
  child.kill("SIGINT");
  const timer = setTimeout(() => child.kill("SIGKILL"), INTERRUPT_TIMEOUT_MS);
  child.once("exit", () => clearTimeout(timer));
}

function outcome(code: number | null, signal: string | null): RunResponse {
  const response = new RunResponse();
  if (code === ALREADY_REPORTED) response.setBail(true);
  else if (signal !== null) response.setError(`Program was ended by ${signal}`);
  else if (code !== 0) response.setError(`Program exited with non-zero exit code: ${code ?? -1}`);
  return response;
}
