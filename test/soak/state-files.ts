import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { z } from "zod";
import { PROJECT } from "../../service/config/project";
import type { StateFact } from "./facts";

// As the CLI writes it, at the one version that this project pins.
const stateFile = z.object({
  checkpoint: z.object({
    latest: z
      .object({
        resources: z.array(z.object({ type: z.string(), id: z.string().optional() })).optional(),
        pending_operations: z.array(z.unknown()).nullish(),
      })
      .nullish(),
  }),
});

/** The states of a `file://` backend, by the names of their stacks. */
export function readStates(state: string): Map<string, StateFact> {
  const folder = path.join(state, ".pulumi/stacks", PROJECT);
  const files = listFiles(folder).filter((file) => /^[^./]+\.json$/.test(file));
  return new Map(
    files.map((file) => {
      const { checkpoint } = stateFile.parse(
        JSON.parse(readFileSync(path.join(folder, file), "utf8")),
      );
      const resources = (checkpoint.latest?.resources ?? []).map(({ type, id = "" }) => ({
        type: type.split(/[:/]/).at(-1) ?? "",
        id,
      }));
      const pending = checkpoint.latest?.pending_operations?.length ?? 0;
      return [file.replace(/\.json$/, ""), { resources, pending }];
    }),
  );
}

/** The files in a folder and below it, relative to it; none where there is no such folder. */
export function listFiles(folder: string): string[] {
  try {
    const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
    return entries
      .filter((entry) => entry.isFile())
      .map((entry) => path.relative(folder, path.join(entry.parentPath, entry.name)));
  } catch (error) {
    // No run has come that far.
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}
