import { writeFileSync } from "node:fs";
import path from "node:path";
import { checkout } from "../../engine/obtain/places";
import { runTool } from "../../scripts/tool.cjs";
import type { Marks } from "../measure/phases";
import type { BenchContext } from "./context";
import { timed } from "../measure/samples";

const TURNS = 5;

/**
 * Times each part of what comes before an engine run can do its work, by pairs of commands that differ in
 * this part only.
 *
 * - CLI start: `pulumi version`.
 * - key derivation: `pulumi config get` of a secret, less `pulumi config`, which decrypts nothing.
 * - program load: a Node that loads the program, less one that loads nothing.
 */
export async function timeParts(context: BenchContext): Promise<Marks[]> {
  context.progress("timing what comes before an engine run");
  const cwd = context.folder("parts");
  const environment = context.cliEnvironment("parts-state", "postgres://nobody@127.0.0.1:1/none");
  const time = (command: string, ...args: string[]) =>
    timed(async () => {
      const { ok, output } = await runTool(command, args, { cwd, environment });
      if (!ok) throw new Error(`${args.join(" ")} failed: ${output.at(-1) ?? ""}`);
    });
  const pulumi = (...args: string[]) => time(context.engine.pulumi, ...args, "--non-interactive");

  writeFileSync(path.join(cwd, "Pulumi.yaml"), "name: parts\nruntime: nodejs\n");
  await pulumi("stack", "init", "dev", "--secrets-provider", "passphrase");
  await pulumi("config", "set", "--secret", "word", "a quiet purple river");
  const program = `require(${JSON.stringify(path.join(checkout, "dist/program/stack.js"))})`;
  const runs: Marks[] = [];
  for (let turn = 0; turn < TURNS; turn++) {
    const start = await pulumi("version");
    const key = -(await pulumi("config")) + (await pulumi("config", "get", "word"));
    const load =
      -(await time(process.execPath, "-e", "")) + (await time(process.execPath, "-e", program));
    runs.push([
      ["start", 0],
      ["CLI start", start],
      ["key derivation", start + key],
      ["program load", start + key + load],
    ]);
  }
  return runs;
}
