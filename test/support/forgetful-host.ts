/** A program host that leaves out of the stack whatever tenant its run is given. */
import { worker, workerEmit } from "workerpool";
import { openDatabase } from "../../service/database/database";
import { beginUp, type BegunUp, type UpStart } from "../../service/pulumi/up";

const { query } = openDatabase(process.env.DATABASE_URL ?? "");

let current: BegunUp | undefined;

worker({
  begin(start: UpStart): number {
    current = beginUp(query, start);
    return process.pid;
  },
  finish() {
    workerEmit({ reached: process.pid });
    return current?.finish(undefined, { reached: () => undefined, step: () => undefined });
  },
});
