/**
 * Loaded by node ahead of Pulumi's dynamic provider, by `--require`: makes it one that engines can
 * attach to, which it refuses by itself, and ends it with whoever started it.
 * https://github.com/pulumi/pulumi/blob/v3.246.0/sdk/nodejs/cmd/dynamic-provider/index.ts
 */
import { fstatSync } from "node:fs";
import { type handleUnaryCall, Server } from "@grpc/grpc-js";
import { Empty } from "google-protobuf/google/protobuf/empty_pb";

const attach: handleUnaryCall<unknown, Empty> = (_call, callback) => callback(null, new Empty());

// eslint-disable-next-line @typescript-eslint/unbound-method -- called with the server it is for.
const { addService } = Server.prototype;
Server.prototype.addService = function (service, implementation) {
  addService.call(this, service, "attach" in service ? withAttach(implementation) : implementation);
};

/** The service's methods are its class's, so it is changed rather than copied. */
function withAttach<T extends object>(implementation: T): T {
  return Object.assign(implementation, { attach });
}

// Without bigint, modules that are loaded after it are not found behind symbolic links:
// https://github.com/nodejs/node/issues/51142
const stdin = fstatSync(0, { bigint: true });
if (stdin.isFIFO() || stdin.isSocket()) {
  const end = () => process.exit(0);
  process.stdin.on("end", end).on("error", end).resume();
}
