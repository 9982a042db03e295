/**
 * Loaded ahead of a program by `node --require`, sets its clock by as many ms as the file of
 * SHIFTED_CLOCK says, whenever that changes. As when the machine's clock is set, `Date` jumps, and
 * what measures time (timers, `performance.now`) does not.
 */
import { readFileSync } from "node:fs";

const file = process.env.SHIFTED_CLOCK ?? "";
const realNow = Date.now.bind(Date);
let shift = 0;

function read(): void {
  try {
    shift = Number(readFileSync(file, "utf8"));
  } catch {
    // Being written, or removed: the clock stays as it is.
  }
}

read();
setInterval(read, 20).unref();

Date.now = () => realNow() + shift;
globalThis.Date = new Proxy(Date, {
  construct: (target, args: unknown[], newTarget) =>
    Reflect.construct(target, args.length === 0 ? [Date.now()] : args, newTarget) as Date,
  apply: () => new Date().toString(),
});
