import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import path from "node:path";
import { text } from "node:stream/consumers";
import { z } from "zod";
import { partsOf } from "./migration-file";

/** A statement that may stop the product while it runs, or that cannot run. */
export interface Warning {
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** The name of squawk's rule: https://squawkhq.com/docs/rules */
  readonly rule: string;
  readonly message: string;
}

/**
 * The rules about locks that stop others and about tables that are scanned or rewritten, and what is no SQL. The other
 * rules of squawk are about style, or about what breaks a client, which depends on the client.
 */
const rules = new Set([
  ...["adding-field-with-default", "adding-foreign-key-constraint", "adding-not-nullable-field"],
  ...["adding-required-field", "adding-serial-primary-key-field", "changing-column-type"],
  ...["ban-concurrent-index-creation-in-transaction", "constraint-missing-not-valid"],
  ...["disallowed-unique-constraint", "require-concurrent-index-creation"],
  ...["require-concurrent-index-deletion", "require-concurrent-reindex", "syntax-error"],
]);

const found = z.array(
  z.object({
    line: z.int(),
    rule_name: z.string(),
    message: z.string(),
    help: z.string().nullable(),
  }),
);

/**
 * Looks through new migrations by squawk, a linter of migrations for PostgreSQL.
 *
 * @param directory The folder that the files are in.
 * @param serverVersion Of the PostgreSQL that they are for, such as `18.0`.
 * @throws Error where squawk does not run on this machine.
 */
export async function warningsOf(
  files: readonly string[],
  directory: string,
  serverVersion: string,
): Promise<Warning[]> {
  const warnings: Warning[] = [];
  for (const file of files) {
    const parts = partsOf(readFileSync(path.join(directory, file), "utf8"));
    const options = parts.inTransaction ? ["--assume-in-transaction"] : [];
    const output = await squawk(parts.up, ["--pg-version", serverVersion, ...options]);
    for (const { line, rule_name: rule, message, help } of found.parse(JSON.parse(output))) {
      if (!rules.has(rule)) continue;
      const words = help === null ? message : `${message} ${help}`;
      warnings.push({ file, line: line + parts.upLine, rule, message: words });
    }
  }
  return warnings;
}

/** @returns what it has found, as JSON. */
async function squawk(sql: string, options: readonly string[]): Promise<string> {
  const program = require.resolve("squawk-cli/js/bin/squawk");
  const args = [program, "--reporter", "json", ...options];
  const child = spawn(process.execPath, args, { stdio: "pipe" });
  const ended = once(child, "close");
  child.stdin.on("error", () => undefined); // It has ended before it read all.
  child.stdin.end(sql);
  const [output, complaint] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
  // Its exit code says whether it has found anything.
  if (output.startsWith("[")) return output;
  throw new Error(`squawk does not run here: ${complaint.trim() || output.trim()}`);
}
