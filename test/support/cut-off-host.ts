/**
 * A program host whose connection to the engine breaks: the first call of the method that CUT_OFF names
 * is answered with the status code after it, once the run has got so far that nothing else is on its way.
 */
import { InterceptingCall, Metadata, status, type Interceptor } from "@grpc/grpc-js";
import * as settings from "@pulumi/pulumi/runtime/settings";
// Before what is added below: what watches the calls sees how this one ends.
import "../../service/pulumi/host";

const [method = "", name = ""] = (process.env.CUT_OFF ?? "").split(" ");
const code = status[name as keyof typeof status];

/** How long a call that will be cut off waits, in ms: long enough for the calls beside it to be answered. */
const WAIT = 300;

let cut = false;

const cutOff: Interceptor = (options, nextCall) => {
  if (cut || !options.method_definition.path.endsWith(`/${method}`)) {
    return new InterceptingCall(nextCall(options));
  }
  cut = true;
  return new InterceptingCall(nextCall(options), {
    start(_metadata, listener) {
      setTimeout(() => {
        const details = "Connection dropped";
        listener.onReceiveStatus({
          code,
          details,
          metadata: new Metadata(),
        });
      }, WAIT);
    },
  });
};

const { grpcClientOptions } = settings as unknown as {
  grpcClientOptions: { interceptors: Interceptor[] };
};
grpcClientOptions.interceptors.push(cutOff);

// What a run that failed before in the same process may leave behind: with it, an error that nobody
// else catches ends neither the run nor the process.
process.on("unhandledRejection", () => undefined);
