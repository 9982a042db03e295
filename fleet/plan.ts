import { readFileSync } from "node:fs";
import path from "node:path";
import type { TenantGroup } from "./status";

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
}

/** Plans from how the tenants stand. @param directory The folder that the files are in. */
export function planOf(status: readonly TenantGroup[], directory: string): Plan {
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

/** The part of a file that is applied. dbmate's own rule: https://github.com/amacneil/dbmate#creating-migrations */
function upOf(file: string): string {
  const [, up = ""] =
    /^--\s*migrate:up.*?$([^]*?)(?:^--\s*migrate:down|(?![^]))/m.exec(readFileSync(file, "utf8")) ??
    [];
  return up.trim();
}
