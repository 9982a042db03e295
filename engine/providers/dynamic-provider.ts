/**
 * Pulumi's dynamic provider as a program that is kept running for many engines. The SDK's own program
 * cannot be attached to, goes on when its parent is killed, and runs any code that anybody on this machine
 * sends to its port. This one loads the SDK's program and changes four things: engines can attach to it, it
 * ends with its parent, it answers processes of its own user only, and it runs known code only.
 * https://github.com/pulumi/pulumi/blob/v3.246.0/sdk/nodejs/cmd/dynamic-provider/index.ts
 *
 * Arguments: the address of an engine, without which the SDK's program does not start, and a JSON list of
 * the resource code that it may run (the texts of the property `__provider`).
 */
import { createRequire } from "node:module";
import { type handleUnaryCall, Server } from "@grpc/grpc-js";
import { Empty } from "google-protobuf/google/protobuf/empty_pb";
import { serveOwnUser, whenParentDies } from "../system/plugin-server";

whenParentDies(() => process.exit(0));
letEnginesAttach();
answerOwnUser();
runOnly(JSON.parse(process.argv[3] ?? "[]") as readonly string[]);
void import("@pulumi/pulumi/cmd/dynamic-provider/index.js");

function letEnginesAttach(): void {
  const attach: handleUnaryCall<unknown, Empty> = (_call, callback) => callback(null, new Empty());
  // eslint-disable-next-line @typescript-eslint/unbound-method -- called with the server it is for.
  const { addService } = Server.prototype;
  Server.prototype.addService = function (service, implementation) {
    // A copy would lack the methods that the object has from its class, so the object itself is changed.
    const served = "attach" in service ? Object.assign(implementation, { attach }) : implementation;
    addService.call(this, service, served);
  };
}

function answerOwnUser(): void {
  Server.prototype.bindAsync = function (_address, _credentials, callback) {
    serveOwnUser(this).then(
      (port) => callback(null, port),
      (error: unknown) => callback(error as Error, 0),
    );
  };
}

/**
 * The SDK's program turns the text of a resource's code into functions with the npm package
 * `require-from-string`, and in no other way. So that package's function is replaced by one that first
 * checks whether the text is one of the known ones.
 */
function runOnly(texts: readonly string[]): void {
  const known = new Set<unknown>(texts);
  const sdk = createRequire(require.resolve("@pulumi/pulumi/cmd/dynamic-provider"));
  const compile = sdk("require-from-string") as (code: unknown) => unknown;
  const loaded = sdk.cache[sdk.resolve("require-from-string")];
  if (loaded === undefined) throw new Error("the code that resources bring cannot be checked");
  loaded.exports = (code: unknown): unknown => {
    if (known.has(code)) return compile(code);
    throw new Error(
      "refused: this dynamic provider serves known resources, and the code in __provider is none of theirs",
    );
  };
}
