import { readFileSync } from "node:fs";
import path from "node:path";
import { partsOf } from "./migration-file";
import type { TenantGroup } from "./status";
import type { Warning } from "./warnings";

/** Tenants that would get the same files. */
interface PlannedGroup {
  readonly tenants: number;
  /** In the order in which they are applied. */
  readonly files: readonly string[];
  readonly slugs: readonly string[];
}

/** What a rollout would do. */
export interface Plan {
  /** The largest group first. */
  readonly groups: readonly PlannedGroup[];
  /** What each of the files does, by its name: its text between `migrate:up` and `migrate:down`. */
  readonly statements: Readonly<Record<string, string>>;
  /** What may stop the product while it runs. */
  readonly warnings: readonly Warning[];
}

/** Plans from how the tenants stand. @param directory The folder that the files are in. */
export function planOf(status: readonly TenantGroup[], directory: string): Omit<Plan, "warnings"> {
  const groups = new Map<string, { files: readonly string[]; slugs: string[] }>();
  for (const { lacks, behind } of status.filter((group) => group.lacks.length > 0)) {
    const key = JSON.stringify(lacks);
    const group = groups.get(key) ?? { files: lacks, slugs: [] };
    group.slugs.push(...behind);
    groups.set(key, group);
  }
  const planned = [...groups.values()]
    .map(({ files, slugs }) => ({ tenants: slugs.length, files, slugs: slugs.sort() }))
    .sort((one, other) => other.tenants - one.tenants);
  const files = [...new Set(planned.flatMap((group) => group.files))].sort();
  return {
    groups: planned,
    statements: Object.fromEntries(files.map((file) => [file, upOf(path.join(directory, file))])),
  };
}

function upOf(file: string): string {
  return partsOf(readFileSync(file, "utf8")).up;
}
