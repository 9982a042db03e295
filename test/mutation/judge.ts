import path from "node:path";
import type { Built } from "./compiler";
import { reaches, type Coverage } from "./coverage";
import { Imports } from "./imports";
import type { Mutant } from "./mutant";
import { runTest } from "./run-test";
import type { Tree } from "./tree";

/** What became of a mutant. */
export interface Verdict {
  readonly mutant: Mutant;
  /** `unreached`: no test runs its line. */
  readonly fate: "killed" | "survived" | "unreached";
  /** The test that killed it. */
  readonly by?: string;
  readonly seconds: number;
}

/** What a judge works with. */
export interface Court {
  readonly tree: Tree;
  readonly coverage: Coverage;
  /** The built test files, by their paths in `dist`. */
  readonly tests: readonly string[];
  /** How many of them a mutant has to survive, at most. */
  readonly mostTests: number;
}

/** Tries mutants on the tests that reach them. */
export class Judge {
  /** How many mutants of a file a test has killed so far. */
  private readonly kills = new Map<string, number>();
  private readonly imports: Imports;

  constructor(private readonly court: Court) {
    this.imports = new Imports(path.join(court.tree.root, "dist"));
  }

  async judge(mutant: Mutant, built: Built): Promise<Verdict> {
    const began = performance.now();
    const end = (fate: Verdict["fate"], by?: string): Verdict => {
      const seconds = (performance.now() - began) / 1_000;
      return { mutant, fate, seconds, ...(by !== undefined && { by }) };
    };
    const file = mutant.file.replace(/\.ts$/, ".js");
    let survived = 0;
    // No unit test has a database. One that only loads a statement's file would count among those it survived.
    const isSql = mutant.mutator === "SQL";
    for (const test of this.testsFor(file).filter((each) => !(isSql && isUnit(each)))) {
      const covered = await this.court.coverage.of(test);
      if (!covered.passed || !reaches(covered, file, built.offset)) continue;
      if (await this.fails(test, file, built.code, 3 * covered.seconds + 15)) {
        const pair = `${test} ${file}`;
        this.kills.set(pair, (this.kills.get(pair) ?? 0) + 1);
        return end("killed", test);
      }
      survived += 1;
      if (survived === this.court.mostTests) break;
    }
    return end(survived === 0 ? "unreached" : "survived");
  }

  private async fails(test: string, file: string, code: string, limit: number): Promise<boolean> {
    const { tree } = this.court;
    const sound = tree.read(file);
    tree.write(file, code);
    try {
      return (await runTest(tree, test, limit)).end !== "passed";
    } finally {
      tree.write(file, sound);
    }
  }

  /** Those first that are likely to kill a mutant of the file soon; last, those whose programs may load it. */
  private testsFor(file: string): string[] {
    const loading = this.court.tests.filter((test) => this.imports.closureOf(test).has(file));
    const starting = this.court.tests.filter(
      (test) => !loading.includes(test) && !isUnit(test) && this.imports.startsPrograms(test),
    );
    return [loading, starting].flatMap((tests) =>
      tests
        .map((test) => ({ test, cost: this.costOf(test, file) }))
        .toSorted((one, other) => one.cost - other.cost)
        .map(({ test }) => test),
    );
  }

  private costOf(test: string, file: string): number {
    const kind = test.split("/")[1] ?? "";
    const seconds = (this.court.coverage.secondsOf(test) ?? 0) + (usualSeconds[kind] ?? 0);
    const words = path.basename(file, ".js").replaceAll(/s\b/g, "").split("-");
    const isAbout = words.some((word) => path.basename(test).includes(word));
    return seconds / (1 + (this.kills.get(`${test} ${file}`) ?? 0) + (isAbout ? 3 : 0));
  }
}

/** On top of what was measured: a kind's tests come after those of the kind before. */
const usualSeconds: Record<string, number> = { unit: 2, integration: 15, e2e: 300 };

/** A unit test runs nothing outside its process that it could be about. */
function isUnit(test: string): boolean {
  return test.startsWith("test/unit/");
}
