/** A program host that leaves out of the stack whatever tenant its run is given. */
import { worker, workerEmit } from "workerpool";
import { beginUp, type BegunUp, type UpStart } from "../../service/pulumi/up";

let current: BegunUp | undefined;

worker({
  begin(start: UpStart): number {
    current = beginUp(start);
    return process.pid;
  },
  finish() {
    workerEmit({ reached: process.pid });
    return current?.finish(undefined, { reached: () => undefined, step: () => undefined });
  },
});
