import { appendFileSync } from "node:fs";

import { withLock } from "../../scripts/lock.cjs";

/**
 * A process that takes the lock `test` of a directory some times over, and writes what it sees into
 * a file: two lines for each turn, which stand together when nobody else had the lock meanwhile.
 */
async function main([directory = "", file = "", turns = "1", then = ""]: readonly string[]) {
  for (let turn = 0; turn < Number(turns); turn += 1) {
    await withLock(
      directory,
      "test",
      () => undefined,
      async () => {
        appendFileSync(file, `${process.pid} in\n`);
        if (then === "hold") await new Promise((resolve) => setTimeout(resolve, 60_000));
        await new Promise((resolve) => setTimeout(resolve, 3));
        appendFileSync(file, `${process.pid} out\n`);
      },
    );
  }
}

void main(process.argv.slice(2));
