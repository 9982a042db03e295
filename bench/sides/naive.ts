import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import { lengthOf, type Marks } from "../measure/phases";
import { newTenant, type NewTenant } from "../measure/tenants";

/** The Automation API as its documentation shows it, in a process of its own that stays warm. */
export interface Naive {
  /** Sets up a new tenant and gives how long that took, in ms. */
  readonly setUp: () => Promise<number>;
  /** Does the same, listening to the engine's events, and tells when each phase ended. */
  readonly profile: () => Promise<Marks>;
  readonly stop: () => Promise<void>;
}

/** What the process is asked to do. */
export interface NaiveRequest {
  readonly id: number;
  readonly tenant: NewTenant;
  readonly profiled: boolean;
}

/** What it answers. */
export interface NaiveAnswer {
  readonly id: number;
  readonly fault?: string;
  readonly marks: Marks;
}

/** @param env What the process, and so the CLI, is started with. */
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
    const { fault, marks } = await answered;
    if (fault !== undefined) throw new Error(`the Automation API failed: ${fault}`);
    return marks;
  }

  return {
    setUp: async () => lengthOf(await run(false)),
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
