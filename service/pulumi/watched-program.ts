import { AsyncLocalStorage } from "node:async_hooks";
import {
  InterceptingCall,
  ListenerBuilder,
  status,
  type Interceptor,
  type sendUnaryData,
  type ServerUnaryCall,
} from "@grpc/grpc-js";
import type { PulumiFn } from "@pulumi/pulumi/automation";
import * as automationServer from "@pulumi/pulumi/automation/server";
import * as runtimeSettings from "@pulumi/pulumi/runtime/settings";

/** An inline program that cannot end well without having declared all that it was to declare. */
export interface WatchedProgram {
  readonly program: PulumiFn;
  /** How many resources its latest run asked the engine for, the stack among them. */
  readonly declared: () => number;
}

/**
 * Has a program fail whenever its connection to the engine does.
 *
 * Left to itself the SDK takes a call that ends with UNAVAILABLE or CANCELLED for the end of the engine,
 * of which somebody else will tell. Where the engine lives, the SDK then either tells it that the program
 * has ended well, and the engine deletes all that was not declared yet; or it never tells of an end, and
 * both wait for ever. (For the first, a run that failed before must have left its listener for stray
 * rejections in the process, which would die otherwise.)
 * https://github.com/pulumi/pulumi/blob/v3.246.0/sdk/nodejs/automation/server.ts (`isGrpcError`)
 * https://github.com/pulumi/pulumi/blob/v3.246.0/sdk/nodejs/runtime/resource.ts (`resolveURN`)
 */
export function watch(program: PulumiFn): WatchedProgram {
  const run: ProgramRun = {
    declared: 0,
    hasReturned: false,
    broken: undefined,
    onBreak: () => undefined,
  };
  const watched: PulumiFn = async () => {
    const outputs = await program();
    run.hasReturned = true;
    return outputs;
  };
  runs.set(watched, run);
  return { program: watched, declared: () => run.declared };
}

/** How far a run of a program is. */
interface ProgramRun {
  declared: number;
  /** Whether the program has come to its end, and so has asked for all that it declares. */
  hasReturned: boolean;
  /** How the first call to the engine ended that did not end well. */
  broken: string | undefined;
  onBreak: () => void;
}

/** How long a program whose connection broke may take to end by itself, in ms. */
const END_BY_ITSELF_MS = 5_000;

const runs = new WeakMap<PulumiFn, ProgramRun>();
const running = new AsyncLocalStorage<ProgramRun>();

type Answer = sendUnaryData<unknown>;

/** What the engine starts programs by. The SDK does not export its type. */
interface LanguageServer {
  readonly program: PulumiFn;
  run(call: ServerUnaryCall<unknown, unknown>, callback: Answer): unknown;
}

const { prototype } = (
  automationServer as unknown as { LanguageServer: { prototype: LanguageServer } }
).LanguageServer;
// eslint-disable-next-line @typescript-eslint/unbound-method -- it is called with its own `this`
const runUnwatched = prototype.run;

prototype.run = function (call, callback) {
  const run = runs.get(this.program);
  if (run === undefined) return runUnwatched.call(this, call, callback);
  let timer: NodeJS.Timeout | undefined;
  let isAnswered = false;
  // The SDK answers twice when a program fails.
  const answer: Answer = (...end) => {
    if (!isAnswered) callback(...end);
    isAnswered = true;
    clearTimeout(timer);
  };
  const cutOff = () => {
    const how = run.broken ?? "the SDK does not say how";
    answer(new Error(`the program was cut off from the engine: ${how}`));
  };
  Object.assign(run, { declared: 0, hasReturned: false, broken: undefined });
  run.onBreak = () => (timer ??= setTimeout(cutOff, END_BY_ITSELF_MS));
  return running.run(run, () =>
    runUnwatched.call(this, call, (error, response) => {
      if (run.broken === undefined && (error || run.hasReturned)) answer(error, response);
      else cutOff();
    }),
  );
};

/** Counts what is declared, and sees how each call to the engine ends. */
const watchCalls: Interceptor = (options, nextCall) => {
  const run = running.getStore();
  const { path } = options.method_definition;
  // Neither tells of what is declared, and the SDK makes do without them.
  const isOther = path.endsWith("/Log") || path.endsWith("/SignalAndWaitForShutdown");
  if (run === undefined || isOther) return new InterceptingCall(nextCall(options));
  if (path.endsWith("/RegisterResource")) run.declared += 1;
  return new InterceptingCall(nextCall(options), {
    start(metadata, _listener, next) {
      const listener = new ListenerBuilder().withOnReceiveStatus((end, tell) => {
        // The SDK asks engines for features that older ones have not heard of.
        if (end.code !== status.OK && end.code !== status.UNIMPLEMENTED) {
          run.broken ??= `${end.code} ${status[end.code]}: ${end.details}`;
          run.onBreak();
        }
        tell(end);
      });
      next(metadata, listener.build());
    },
  });
};

const { grpcClientOptions } = runtimeSettings as unknown as {
  grpcClientOptions: { readonly interceptors: Interceptor[] };
};
grpcClientOptions.interceptors.push(watchCalls);
