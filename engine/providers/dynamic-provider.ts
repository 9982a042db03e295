/**
 * Pulumi's dynamic provider as a program that is kept running. By itself it lets no engine attach to
 * it, stays when its parent is killed, and runs any code that anybody on this machine sends it. This
 * one is attached to, ends with its parent, answers its own user only, and runs known code only.
 * https://github.com/pulumi/pulumi/blob/v3.246.0/sdk/nodejs/cmd/dynamic-provider/index.ts
 *
 * Arguments: an engine's address, which the SDK's program insists on and never uses, and the texts
 * of `__provider` that it runs, as a JSON list.
 */
import { createRequire } from "node:module";
import { type handleUnaryCall, Server } from "@grpc/grpc-js";
import { Empty } from "google-protobuf/google/protobuf/empty_pb";
import { serveOwnUser } from "../system/own-user";
import { whenParentDies } from "../system/when-parent-dies";

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
    // Its methods are its class's, so it is changed rather than copied.
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
 * The SDK's program makes a resource's code from the text in its state by `require-from-string`, in
 * the one place where it does so: there each text is looked up first.
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
