import {
  status,
  type handleUnaryCall,
  type ServerUnaryCall,
  type ServerWritableStream,
  type ServiceDefinition,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";

/**
 * A gRPC method from a function. What it throws becomes status UNKNOWN with the error's message, as
 * a Go plugin's errors do; the engine prints that message.
 */
export function unary<Request, Answer>(
  answer: (request: Request, call: ServerUnaryCall<Request, Answer>) => Answer | Promise<Answer>,
): handleUnaryCall<Request, Answer> {
  return (call, callback) => {
    void (async () => answer(call.request, call))().then(
      (value) => callback(null, value),
      (error: unknown) => callback({ code: status.UNKNOWN, details: messageOf(error) }),
    );
  };
}

/**
 * The implementation with every method of the service that it lacks answered by UNIMPLEMENTED,
 * which the engine takes as "not there", and a message that says who was asked.
 *
 * @param standIn what the user meets in the message, e.g. "The stand-in for X".
 */
export function refusingTheRest(
  service: ServiceDefinition,
  implementation: UntypedServiceImplementation,
  standIn: string,
): UntypedServiceImplementation {
  const complete = { ...implementation };
  for (const [name, method] of Object.entries(service)) {
    if (name in complete) continue;
    const refusal = {
      code: status.UNIMPLEMENTED,
      details: `${standIn} does not serve ${method.path.slice(method.path.lastIndexOf("/") + 1)}.`,
    };
    complete[name] = method.responseStream
      ? (call: ServerWritableStream<unknown, unknown>) => call.emit("error", refusal)
      : (_: unknown, callback: (error: typeof refusal) => void) => callback(refusal);
  }
  return complete;
}

/** The message of whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
