/** `npm run mutation`: how many small faults the tests notice. */
import { existsSync, readdirSync } from "node:fs";
import path from "node:path";
import { startTemporaryPostgres } from "../../engine/postgres/temporary";
import { createCompiler } from "./compiler";
import { Coverage } from "./coverage";
import { Judge, type Verdict } from "./judge";
import { inOrderOf, mutantsOf } from "./mutants";
import { describeMutant, type Mutant } from "./mutant";
import { help, mutatedFolders, OptionsError, readOptions, type Options } from "./options";
import { reportOf, scoreOf } from "./report";
import { endProcesses } from "./run-test";
import { copyTree, type Tree } from "./tree";

const checkout = path.resolve(__dirname, "../../..");
const began = performance.now();
const secondsSoFar = () => Math.round((performance.now() - began) / 1_000);
const progress = (line: string) =>
  void process.stderr.write(`${String(secondsSoFar()).padStart(5)} s  ${line}\n`);

async function main(): Promise<number> {
  const options = readOptions(process.argv.slice(2));
  if (options === "help") {
    process.stdout.write(`${help}\n`);
    return 0;
  }
  if (!existsSync("/proc/self/environ")) {
    throw new OptionsError("what a killed test leaves running is found in /proc: this needs Linux");
  }
  const files = filesBelow(".ts", mutatedFolders);
  const mutants = inOrderOf(options.seed, await mutantsOf(checkout, files)).filter((mutant) =>
    isChosen(mutant, options.folders),
  );
  progress(
    `seed ${options.seed}: ${Math.min(options.sample, mutants.length)} of ${mutants.length} mutants`,
  );
  const stop = new AbortController();
  const tree = copyTree(checkout, stop.signal);
  stopBySignals(stop, tree);
  const postgres = await startTemporaryPostgres();
  process.env.TEST_POSTGRES_URL = postgres.superuserUrl;
  try {
    const verdicts = await tryMutants(options, mutants, tree);
    process.stdout.write(`seed ${options.seed}\n${reportOf(verdicts)}\n`);
    return scoreOf(verdicts) < (options.threshold ?? 0) ? 1 : 0;
  } finally {
    endProcesses(tree);
    await postgres.stop();
    tree.remove();
  }
}

async function tryMutants(
  options: Options,
  mutants: readonly Mutant[],
  tree: Tree,
): Promise<Verdict[]> {
  const coverage = new Coverage(
    tree,
    path.join(checkout, ".engine/mutation-coverage.json"),
    progress,
  );
  const judge = new Judge({ tree, coverage, tests: testsOf(options), mostTests: options.tests });
  const compiler = createCompiler(checkout, filesBelow(".ts", mutatedFolders));
  const verdicts: Verdict[] = [];
  for (const mutant of mutants) {
    const isLate = options.seconds !== undefined && secondsSoFar() > options.seconds;
    if (tree.stop.aborted || isLate || verdicts.length === options.sample) break;
    const built = compiler.build(mutant);
    if (built === undefined) continue;
    // A signal kills the test, which says nothing of the mutant.
    const verdict = await judge.judge(mutant, built).catch(unlessAborted(tree.stop));
    if (verdict === undefined) break;
    const { fate, by = "", seconds } = verdict;
    // What is for other tests says nothing of these.
    if (options.unit && fate === "unreached") continue;
    verdicts.push(verdict);
    progress(
      `${verdicts.length} of ${options.sample}: ${fate} ${by} (${seconds.toFixed(1)} s) ${describeMutant(mutant)}`,
    );
  }
  return verdicts;
}

/** The built test files that are run, by their paths in `dist`. */
function testsOf({ unit, e2e }: Options): string[] {
  const below = (kind: string) =>
    ["provider", "program", "fleet", "service"]
      .map((part) => `dist/test/${kind}/${part}`)
      .filter((folder) => existsSync(path.join(checkout, folder)));
  const folders = [
    ...below("unit"),
    ...(unit ? [] : below("integration")),
    ...(e2e ? ["dist/test/e2e"] : []),
  ];
  return filesBelow(".test.js", folders).map((file) => file.slice("dist/".length));
}

function filesBelow(ending: string, folders: readonly string[]): string[] {
  return folders.flatMap((folder) =>
    readdirSync(path.join(checkout, folder), { recursive: true, encoding: "utf8" })
      .filter((file) => file.endsWith(ending))
      .sort()
      .map((file) => path.join(folder, file)),
  );
}

function isChosen({ file, line }: Mutant, folders: readonly string[]): boolean {
  return folders.some((folder) => `${file}:${line}` === folder || file.startsWith(folder));
}

/** The first signal ends the run, and what was found is told. */
function stopBySignals(stop: AbortController, tree: Tree): void {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => {
      stop.abort();
      endProcesses(tree);
    });
  }
}

function unlessAborted(stop: AbortSignal): (error: unknown) => undefined {
  return (error) => {
    if (!stop.aborted) throw error;
  };
}

main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    console.error(error instanceof OptionsError ? `${error.message}; see --help` : error);
    process.exit(error instanceof OptionsError ? 2 : 1);
  },
);
