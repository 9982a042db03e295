/** `npm run bench`: measures what a set-up costs, each row against another way in the same run. */
import { createContext, type BenchContext } from "./context/context";
import { currentLoad, describeMachine } from "./context/machine";
import { help, readOptions, UsageError, type Options } from "./options";
import { asJson, asMarkdown, verdict, type Report } from "./report/report";
import type { Unmeasured, Group, Measured } from "./context/row";
import { atOnce } from "./rows/at-once";
import { backToBack } from "./rows/back-to-back";
import { burst } from "./rows/burst";
import { driftLook } from "./rows/drift-look";
import { fleet } from "./rows/fleet";
import { manyTenants } from "./rows/many-tenants";
import { memory } from "./rows/memory";
import { migrationsOf20 } from "./rows/migrations-20";
import { oneStack } from "./rows/one-stack";
import { pace } from "./rows/pace";
import { prestarted } from "./rows/prestarted";
import { writeReport } from "./report/write";

/** In the order in which they are measured. The group `memory` counts the set-ups of those before it. */
const groups: readonly Group[] = [
  ...[pace, prestarted, backToBack, atOnce, burst, memory],
  ...[migrationsOf20, oneStack, manyTenants, driftLook, fleet],
];
const names = groups.map(({ name }) => name);

main().catch((error: unknown) => {
  process.exitCode = 1;
  if (error instanceof UsageError) console.error(error.message);
  else console.error(error);
});

async function main(): Promise<void> {
  const options = readOptions(process.argv.slice(2), names);
  if (options.help) {
    process.stdout.write(help(names));
    return;
  }
  const report = await measure(options);
  process.stdout.write(
    options.json
      ? `${JSON.stringify(asJson(report))}\n`
      : `${asMarkdown(report)}\n\n${verdict(report)}\n`,
  );
  if (options.write) writeReport(report);
  if (report.results.some((result) => "problem" in result)) process.exitCode = 1;
}

async function measure({ quick, only }: Options): Promise<Report> {
  const began = new Date();
  const load = currentLoad();
  const progress = (line: string) => {
    const seconds = Math.round((Date.now() - began.getTime()) / 1_000);
    process.stderr.write(`${String(seconds).padStart(4)} s  ${line}\n`);
  };
  const chosen = groups.filter(({ name, slow }) =>
    only.length > 0 ? only.includes(name) : !(quick && slow),
  );
  const closers: (() => unknown)[] = [];
  const close = async () => {
    for (let last = closers.pop(); last !== undefined; last = closers.pop()) await last();
  };
  const stopListening = onSignal(close);
  try {
    const context = await createContext(quick, progress, (work) => closers.push(work));
    const machine = await describeMachine(context, load);
    const measured: Measured[] = [];
    for (const group of chosen) measured.push(await measureGroup(group, context));
    return {
      date: began.toISOString(),
      quick,
      machine,
      results: measured.flatMap(({ results }) => results),
      bars: measured.flatMap(({ bars = [] }) => bars),
    };
  } finally {
    progress("stopping the services and removing what was made");
    await close();
    stopListening();
  }
}

/** Measures one group. When it fails, its rows have no figure, and the other groups are still measured. */
async function measureGroup(group: Group, context: BenchContext): Promise<Measured> {
  try {
    return await group.measure(context);
  } catch (error) {
    const problem = error instanceof Error ? error.message : String(error);
    context.progress(`${group.name}: ${problem}`);
    return { results: group.rows.map((row): Unmeasured => ({ row, problem })) };
  }
}

/** At Ctrl-C, stops what the bench has started before it exits. */
function onSignal(close: () => Promise<void>): () => void {
  const stop = () => {
    void close().finally(() => process.exit(130));
  };
  process.once("SIGINT", stop).once("SIGTERM", stop);
  return () => void process.off("SIGINT", stop).off("SIGTERM", stop);
}
