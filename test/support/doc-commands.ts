import type { Project } from "./pulumi";

/**
 * Runs the commands of a page's `sh` block in a project, each of which is `pulumi …`.
 *
 * @param change What is put in the place of the words that stand for a reader's own.
 * @returns what they print.
 */
export async function runDocCommands(
  project: Project,
  block: string,
  change: (line: string) => string = (line) => line,
): Promise<string> {
  const output: string[] = [];
  for (const line of block.trim().split("\n")) {
    const [command = "", ...args] = change(line.replace(/ +#.*/, ""))
      .split(" ")
      .map((word) => word.replaceAll("'", ""));
    expect(command).toBe("pulumi");
    output.push(await project.run(...args));
  }
  return output.join("\n");
}
