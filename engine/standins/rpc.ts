import {
  status,
  type handleUnaryCall,
  type ServerUnaryCall,
  type ServerWritableStream,
  type ServiceDefinition,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";

/**
 * Makes a gRPC method of a function. What the function throws is answered as status UNKNOWN with the
 * error's message, as plugins written in Go do. The engine shows the user that message.
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
 * Adds every method of the service that the implementation lacks: it answers UNIMPLEMENTED, so that the
 * engine goes on without that method, and a message that names the stand-in.
 *
 * @param standIn the start of that message, such as "The stand-in for X".
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

/** The message of an error, or of any other value that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
