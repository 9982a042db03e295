import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import { durationOf, type Marks } from "../measure/phases";
import { newTenant, type NewTenant } from "../measure/tenants";

/** The Automation API as its documentation shows it, in a process of its own that stays warm. */
export interface Naive {
  /** Sets up a new tenant and returns how long that took, in ms. */
  readonly setUp: () => Promise<number>;
  /** Does the same while it listens to the engine's events, and returns when each phase ended. */
  readonly profile: () => Promise<Marks>;
  readonly stop: () => Promise<void>;
}

/** What the bench sends to that process. */
export interface NaiveRequest {
  readonly id: number;
  readonly tenant: NewTenant;
  readonly profiled: boolean;
}

/** What that process answers. */
export interface NaiveAnswer {
  readonly id: number;
  readonly problem?: string;
  readonly marks: Marks;
}

/**
 * Starts that process.
 *
 * @param env The environment of the process, and so of the CLI.
 */
export function startNaive(env: NodeJS.ProcessEnv): Naive {
  const child = fork(path.join(__dirname, "naive-process.js"), {
    env,
    stdio: ["ignore", 2, 2, "ipc"],
  });
  let asked = 0;

  async function run(profiled: boolean): Promise<Marks> {
    const request: NaiveRequest = { id: asked++, tenant: newTenant(), profiled };
    const answered = answerOf(child, request.id);
    child.send(request);
    const { problem, marks } = await answered;
    if (problem !== undefined) throw new Error(`the Automation API failed: ${problem}`);
    return marks;
  }

  return {
    setUp: async () => durationOf(await run(false)),
    profile: () => run(true),
    stop: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = once(child, "exit");
      child.disconnect();
      await ended;
    },
  };
}

async function answerOf(child: ChildProcess, id: number): Promise<NaiveAnswer> {
  return new Promise((resolve, reject) => {
    const settle = () => {
      child.off("message", onMessage).off("exit", onExit);
    };
    const onMessage = (answer: NaiveAnswer) => {
      if (answer.id !== id) return;
      settle();
      resolve(answer);
    };
    const onExit = () => {
      settle();
      reject(new Error("the process of the Automation API ended"));
    };
    child.on("message", onMessage).on("exit", onExit);
  });
}
