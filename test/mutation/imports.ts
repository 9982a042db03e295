import { existsSync, readFileSync } from "node:fs";
import path from "node:path";

/** What built files load of this house, by the `require` calls in them. */
export class Imports {
  private readonly direct = new Map<string, readonly string[]>();

  /** @param dist The folder of the built files. */
  constructor(private readonly dist: string) {}

  /** All files that are loaded with this one, itself included; paths in `dist`. */
  closureOf(file: string): ReadonlySet<string> {
    const found = new Set([file]);
    for (const one of found) for (const next of this.directOf(one)) found.add(next);
    return found;
  }

  /** Whether the test starts programs: those may load anything. */
  startsPrograms(test: string): boolean {
    return [...this.closureOf(test)].some(
      (file) =>
        file.startsWith("test/") &&
        readFileSync(path.join(this.dist, file), "utf8").includes('require("node:child_process")'),
    );
  }

  private directOf(file: string): readonly string[] {
    const known = this.direct.get(file);
    if (known !== undefined) return known;
    const text = readFileSync(path.join(this.dist, file), "utf8");
    const names = [...text.matchAll(/\brequire\("(\.[^"]+)"\)/g)].map(([, name = ""]) =>
      path.join(path.dirname(file), name),
    );
    const files = names
      .flatMap((name) => [name, `${name}.js`, path.join(name, "index.js")])
      .filter((name) => name.endsWith(".js") && existsSync(path.join(this.dist, name)));
    this.direct.set(file, files);
    return files;
  }
}
