/**
 * Loaded ahead of the postgresql stand-in by `node --require`: each engine that attaches leaves so many
 * MB in it for good (2, or `globalThis.hoardedMb`), as it leaves 0.77 MB in the official plugin.
 */
import { type handleUnaryCall, Server } from "@grpc/grpc-js";

const { hoardedMb = 2 } = globalThis as { hoardedMb?: number };
const hoard: Buffer[] = [];
// eslint-disable-next-line @typescript-eslint/unbound-method -- called with the server it is for.
const { addService } = Server.prototype;

Server.prototype.addService = function (service, implementation) {
  const { attach } = implementation as { attach?: handleUnaryCall<unknown, unknown> };
  if (attach === undefined || !process.argv[1]?.includes("postgresql")) {
    addService.call(this, service, implementation);
    return;
  }
  const hoarding: typeof attach = (call, callback) => {
    hoard.push(Buffer.alloc(hoardedMb * 1024 * 1024, 1));
    attach(call, callback);
  };
  addService.call(this, service, { ...implementation, attach: hoarding });
};
