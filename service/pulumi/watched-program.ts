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

/** An inline program that cannot end as succeeded before it has declared all of its resources. */
export interface WatchedProgram {
  readonly program: PulumiFn;
  /** How many resources its latest run has declared, the stack itself included. */
  readonly declared: () => number;
}

/**
 * Makes a program fail whenever its connection to the engine fails.
 *
 * By itself the SDK takes a call that ends with UNAVAILABLE or CANCELLED as a sign that the engine has ended,
 * and reports no error. If the engine is still there, one of two things follows. Either the SDK reports that
 * the program has succeeded, and the engine deletes all resources that were not declared yet. (This needs a
 * listener for unhandled rejections, left by an earlier failed run; without one the process dies.) Or the SDK
 * never reports an end, and both wait for ever.
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

/** The progress of one run of a program. */
interface ProgramRun {
  /** How many resources it has declared. */
  declared: number;
  /** Whether the program has come to its end, and so has asked for all that it declares. */
  hasReturned: boolean;
  /** The status of the first call to the engine that failed; undefined while none has. */
  broken: string | undefined;
  onBreak: () => void;
}

/** How long a program whose connection broke may take to end by itself before it is ended with an error. */
const END_BY_ITSELF_MS = 5_000;

const runs = new WeakMap<PulumiFn, ProgramRun>();
const running = new AsyncLocalStorage<ProgramRun>();

type Answer = sendUnaryData<unknown>;

/** The SDK's gRPC server through which the engine starts a program. The SDK does not export its type. */
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
  // The SDK calls back twice when a program fails; only the first answer is sent.
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

/** A gRPC interceptor that counts declared resources and notes the first call to the engine that fails. */
const watchCalls: Interceptor = (options, nextCall) => {
  const run = running.getStore();
  const { path } = options.method_definition;
  // Neither of the two declares anything, and the SDK works without an answer to them.
  const isOther = path.endsWith("/Log") || path.endsWith("/SignalAndWaitForShutdown");
  if (run === undefined || isOther) return new InterceptingCall(nextCall(options));
  if (path.endsWith("/RegisterResource")) run.declared += 1;
  return new InterceptingCall(nextCall(options), {
    start(metadata, _listener, next) {
      const listener = new ListenerBuilder().withOnReceiveStatus((end, forward) => {
        // UNIMPLEMENTED is no failure: the SDK asks whether the engine has features that older ones lack.
        if (end.code !== status.OK && end.code !== status.UNIMPLEMENTED) {
          run.broken ??= `${end.code} ${status[end.code]}: ${end.details}`;
          run.onBreak();
        }
        forward(end);
      });
      next(metadata, listener.build());
    },
  });
};

const { grpcClientOptions } = runtimeSettings as unknown as {
  grpcClientOptions: { readonly interceptors: Interceptor[] };
};
grpcClientOptions.interceptors.push(watchCalls);
