/** `npm run bench`: measures what a set-up costs, each row against another way in the same run. */
import { layGround, type Ground } from "./context/context";
import { currentLoad, describeMachine } from "./context/machine";
import { help, readOptions, UsageError, type Options } from "./options";
import { asJson, asMarkdown, verdict, type Report } from "./report/report";
import type { Gap, Group, Measured } from "./context/row";
import { atOnce } from "./rows/at-once";
import { backToBack } from "./rows/back-to-back";
import { burst } from "./rows/burst";
import { manyTenants } from "./rows/many-tenants";
import { memory } from "./rows/memory";
import { migrationsOf20 } from "./rows/migrations-20";
import { oneStack } from "./rows/one-stack";
import { pace } from "./rows/pace";
import { parked } from "./rows/prestarted";
import { writeReport } from "./report/write";

/** In the order in which they are measured: memory counts what those before it set up. */
const groups: readonly Group[] = [
  ...[pace, parked, backToBack, atOnce, burst, memory],
  ...[migrationsOf20, oneStack, manyTenants],
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
  if (report.results.some((result) => "fault" in result)) process.exitCode = 1;
}

async function measure({ quick, only }: Options): Promise<Report> {
  const began = new Date();
  const load = currentLoad();
  const say = (line: string) => {
    const seconds = Math.round((Date.now() - began.getTime()) / 1_000);
    process.stderr.write(`${String(seconds).padStart(4)} s  ${line}\n`);
  };
  const chosen = groups.filter(({ name, slow }) =>
    only.length > 0 ? only.includes(name) : !(quick && slow),
  );
  const ends: (() => unknown)[] = [];
  const end = async () => {
    for (let last = ends.pop(); last !== undefined; last = ends.pop()) await last();
  };
  const stopListening = onSignal(end);
  try {
    const ground = await layGround(quick, say, (work) => ends.push(work));
    const machine = await describeMachine(ground, load);
    const measured: Measured[] = [];
    for (const group of chosen) measured.push(await measureGroup(group, ground));
    return {
      date: began.toISOString(),
      quick,
      machine,
      results: measured.flatMap(({ results }) => results),
      bars: measured.flatMap(({ bars = [] }) => bars),
    };
  } finally {
    say("ending what was started");
    await end();
    stopListening();
  }
}

/** What fails in one group leaves the others their figures. */
async function measureGroup(group: Group, ground: Ground): Promise<Measured> {
  try {
    return await group.measure(ground);
  } catch (error) {
    const fault = error instanceof Error ? error.message : String(error);
    ground.say(`${group.name}: ${fault}`);
    return { results: group.rows.map((row): Gap => ({ row, fault })) };
  }
}

/** A Ctrl-C leaves nothing running. */
function onSignal(end: () => Promise<void>): () => void {
  const stop = () => {
    void end().finally(() => process.exit(130));
  };
  process.once("SIGINT", stop).once("SIGTERM", stop);
  return () => void process.off("SIGINT", stop).off("SIGTERM", stop);
}
