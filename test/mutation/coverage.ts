import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { z } from "zod";
import { runTest } from "./run-test";
import type { Tree } from "./tree";

/** What one test file reaches when nothing is broken. */
const covered = z.object({
  /** Of what it was measured: the same digest means the same. */
  digest: z.string(),
  passed: z.boolean(),
  seconds: z.number(),
  /** For each file of `dist`, the parts that were run: [start, end, start, end, …]. */
  parts: z.record(z.string(), z.array(z.number())),
});

/** What a test file reaches. */
export type Covered = z.infer<typeof covered>;

const map = z.record(z.string(), covered);

/** Whether the test runs the code at this place of a file of `dist`. */
export function reaches({ parts }: Covered, file: string, offset: number): boolean {
  const edges = parts[file] ?? [];
  // Even ones begin a part, odd ones end it.
  return edges.filter((edge) => edge <= offset).length % 2 === 1;
}

/** What each test file reaches, measured when it is asked for, once for each state of the code. */
export class Coverage {
  private readonly known: Record<string, Covered>;
  private readonly code: string;

  /** @param cache The file that keeps it from run to run. */
  constructor(
    private readonly tree: Tree,
    private readonly cache: string,
    private readonly report: (line: string) => void,
  ) {
    this.known = this.kept();
    this.code = digestOf(tree, ["provider", "program", "fleet", "service", "test/support"]);
  }

  private kept(): Record<string, Covered> {
    return existsSync(this.cache) ? map.parse(JSON.parse(readFileSync(this.cache, "utf8"))) : {};
  }

  /** How long it takes; undefined where nobody has measured it. */
  secondsOf(test: string): number | undefined {
    return this.known[test]?.seconds;
  }

  /** @param test Such as `test/unit/provider/rules.test.js`. Nothing may be broken now. */
  async of(test: string): Promise<Covered> {
    const digest = `${this.code} ${digestOf(this.tree, [test])}`;
    const known = this.known[test];
    if (known?.digest === digest) return known;
    const measured = { digest, ...(await measure(this.tree, test)) };
    this.report(
      `measured what ${test} reaches (${measured.seconds.toFixed(0)} s)` +
        (measured.passed ? "" : ": it fails, or takes too long, as it is, and is left out"),
    );
    this.known[test] = measured;
    // Another run may have measured others. What failed may pass another time.
    if (measured.passed)
      writeFileSync(this.cache, JSON.stringify({ ...this.kept(), [test]: measured }));
    return measured;
  }
}

async function measure(tree: Tree, test: string) {
  const folder = path.join(tree.tmp, "coverage");
  try {
    const { end, seconds } = await runTest(tree, test, 300, { NODE_V8_COVERAGE: folder });
    return { passed: end === "passed", seconds, parts: partsIn(folder, tree) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const v8File = z.object({
  result: z.array(
    z.object({
      url: z.string(),
      functions: z.array(
        z.object({
          ranges: z.array(
            z.object({ startOffset: z.number(), endOffset: z.number(), count: z.number() }),
          ),
        }),
      ),
    }),
  ),
});

/** Each process of the test has written a file. */
function partsIn(folder: string, tree: Tree): Record<string, number[]> {
  const dist = pathToFileURL(path.join(tree.root, "dist/")).href;
  const mutable = /^(?:provider|program|fleet|service)\//;
  const run = new Map<string, Uint8Array>();
  for (const name of existsSync(folder) ? readdirSync(folder) : []) {
    const text = readFileSync(path.join(folder, name), "utf8");
    for (const { url, functions } of v8File.parse(JSON.parse(text)).result) {
      const file = url.startsWith(dist) ? url.slice(dist.length) : "";
      if (!mutable.test(file)) continue;
      const painted = paint(functions.flatMap(({ ranges }) => ranges));
      const before = run.get(file);
      run.set(file, before ? painted.map((one, at) => one | (before[at] ?? 0)) : painted);
    }
  }
  return Object.fromEntries([...run].map(([file, painted]) => [file, intervals(painted)]));
}

/** Inner ranges lie in outer ones and say it better. */
function paint(
  ranges: readonly { startOffset: number; endOffset: number; count: number }[],
): Uint8Array {
  const painted = new Uint8Array(Math.max(0, ...ranges.map(({ endOffset }) => endOffset)));
  const outerFirst = ranges.toSorted(
    (one, other) => one.startOffset - other.startOffset || other.endOffset - one.endOffset,
  );
  for (const { startOffset, endOffset, count } of outerFirst) {
    painted.fill(count > 0 ? 1 : 0, startOffset, endOffset);
  }
  return painted;
}

function intervals(painted: Uint8Array): number[] {
  const edges: number[] = [];
  for (let at = 0; at <= painted.length; at += 1) {
    if ((painted[at] ?? 0) !== (painted[at - 1] ?? 0)) edges.push(at);
  }
  return edges;
}

function digestOf(tree: Tree, names: readonly string[]): string {
  const hash = createHash("sha256");
  for (const name of names) {
    const full = path.join(tree.root, "dist", name);
    const files = name.endsWith(".js")
      ? [full]
      : readdirSync(full, { recursive: true, encoding: "utf8" })
          .filter((file) => file.endsWith(".js"))
          .sort()
          .map((file) => path.join(full, file));
    for (const file of files) hash.update(file.slice(tree.root.length)).update(readFileSync(file));
  }
  return hash.digest("hex").slice(0, 32);
}
