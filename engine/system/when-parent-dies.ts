import { fstatSync } from "node:fs";

/**
 * Calls `end` when the process that started this one is no more. A killed process can signal nothing,
 * but the kernel closes its end of our stdin. A terminal or /dev/null says nothing of the kind: a
 * plugin that was started alone, to be attached to, stays.
 */
export function whenParentDies(end: () => void): void {
  // Without bigint, modules that are loaded after it are not found behind symbolic links:
  // https://github.com/nodejs/node/issues/51142
  const stdin = fstatSync(0, { bigint: true });
  if (!stdin.isFIFO() && !stdin.isSocket()) return;
  process.stdin.on("end", end).on("error", end).resume();
}
