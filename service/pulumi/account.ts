import type { OpMap, OpType } from "@pulumi/pulumi/automation";
import type { RunRequest } from "./engine-runs";

/**
 * What a run did beside what it was asked to: something was deleted that nobody asked to have deleted, or
 * the engine did not look at all that the program declared, or at more.
 *
 * @param changes How many resources there were of each operation; undefined where the engine did not tell.
 * @param declared How many resources the program declared.
 * @returns faults for the operator; none where the run did as it was asked to.
 */
export function unasked(
  changes: OpMap | undefined,
  declared: number,
  mayDelete: RunRequest["mayDelete"],
): string[] {
  if (changes === undefined) return ["the engine did not tell what the run did"];
  const count = (ops: readonly OpType[]) => ops.reduce((sum, op) => sum + (changes[op] ?? 0), 0);
  const seen = count(["same", "create", "update", "replace", "import", "read"]);
  const deleted = count(["delete", "replace", "discard"]);
  const faults: string[] = [];
  if (seen !== declared) {
    faults.push(`the program declared ${declared} resources, and the engine saw ${seen}`);
  }
  if (deleted > 0 && mayDelete === "nothing") {
    faults.push(`the run deleted ${deleted} resources, which nobody asked for`);
  }
  return faults;
}
