/** A program host that leaves out of the stack whatever tenant its run is given. */
import { worker, workerEmit } from "workerpool";
import { openDatabase } from "../../service/database/database";
import { beginUp, type BegunUp, type UpStart } from "../../service/pulumi/up";

const { DATABASE_URL = "", TENANT_MIGRATIONS_DIR: migrationsDir = "" } = process.env;
const { query } = openDatabase(DATABASE_URL);

let current: BegunUp | undefined;

worker({
  begin(start: UpStart): number {
    current = beginUp(query, migrationsDir, start);
    return process.pid;
  },
  finish() {
    workerEmit({ reached: process.pid });
    return current?.finish(undefined, { reached: () => undefined, step: () => undefined });
  },
});
