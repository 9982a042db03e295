import { setTimeout as delay } from "node:timers/promises";
import { call } from "./caller";
import { checkEach, groupBy, type Check } from "./check";
import type { Facts } from "./facts";
import { checkFlat, heldBy, type Held } from "./flat";
import { Ledger, nameOf } from "./ledger";
import { commandOf, type Options } from "./options";
import { planOf } from "./plan";
import { checkPreviews } from "./previews";
import { seeded } from "./random";
import { readFacts } from "./read-facts";
import { reconcile } from "./reconcile";
import type { Result } from "./report";
import { checkLeftovers, settle } from "./settle";
import { troublePlan } from "./trouble-plan";
import { makeTrouble, type Troubles } from "./troublemaker";
import type { World } from "./world";

type Say = (line: string) => void;

/** How much of the time there is trouble too; the rest is for seeing whether memory is flat. */
const STORM = 0.7;

/** What fraction of the quiet rest warms the instances up. */
const WARM_UP = 0.5;

/**
 * Load with trouble, then load without, then a look at everything.
 *
 * @param early ends the load before its time.
 */
export async function soak(
  options: Options,
  world: World,
  early: AbortSignal,
  say: Say,
): Promise<Result> {
  const load = new Load(world, options, early, say);
  const lasts = options.minutes * 60_000;
  await Promise.all(world.instances.map((instance) => instance.start()));
  say("both instances serve; the storm begins");
  await load.run("storm", lasts * STORM, 6);
  const settled = await settle(world);
  say(`the storm is over, and settled after ${inSeconds(settled)}`);
  const checks = [
    { what: "everything settled", looked: 1, faults: settled === undefined ? ["not so"] : [] },
    checkLeftovers(world),
  ];
  const before = await load.runQuietly("warm-up", lasts * (1 - STORM) * WARM_UP);
  const after = await load.runQuietly("quiet", lasts * (1 - STORM) * (1 - WARM_UP));
  const grown = world.instances.flatMap(({ name }, index) => {
    const [was, is] = [before[index], after[index]];
    // Without a time of quiet there is nothing to compare.
    return was && is && !early.aborted ? checkFlat(name, was, is) : [];
  });
  await Promise.all(world.instances.map((instance) => instance.close("SIGTERM")));
  const facts = await readFacts(world);
  checks.push(...reconcile(load.ledger, facts), ...checkEnds(world), ...grown);
  say("the instances have ended; the stacks are previewed");
  checks.push(await checkPreviews(world, early));
  return {
    ledger: load.ledger,
    troubles: load.troubles,
    checks,
    notes: notesOf(world, facts, settled),
    again: commandOf(options),
  };
}

/** Callers, and in a storm trouble for them. */
class Load {
  readonly ledger = new Ledger();
  readonly troubles: Troubles = { done: new Map(), missed: new Map() };
  private readonly began = performance.now();

  constructor(
    private readonly world: World,
    private readonly options: Options,
    private readonly early: AbortSignal,
    private readonly say: Say,
  ) {}

  /** Load for so many ms; resolves when what was begun has come to its end. */
  async run(name: "storm" | "warm-up" | "quiet", lasts: number, callers: number): Promise<void> {
    const stopping = new AbortController();
    let lastTrouble = name === "storm" ? Infinity : -Infinity;
    const stop = () => {
      stopping.abort();
      lastTrouble = Math.min(lastTrouble, performance.now());
    };
    const timer = setTimeout(stop, lasts);
    this.early.addEventListener("abort", stop, { once: true });
    if (this.early.aborted) stop();
    const stopped = stopping.signal;
    const { instances, secret, archives } = this.world;
    const scene = {
      ...{ instances, secret, archives, ledger: this.ledger },
      lastTrouble: () => Math.min(lastTrouble, performance.now()),
    };
    const progress = setInterval(() => this.tell(), 5_000);
    const seed = this.options.seed ^ (name.length * 0x9e3779b1);
    const calls = Array.from({ length: callers }, (_, index) => {
      const caller = `${name}-${index + 1}`;
      return call(caller, planOf(caller, seeded(seed + index)), scene, stopped);
    });
    const trouble =
      name === "storm" &&
      makeTrouble(
        troublePlan(seeded(seed - 1), this.options.troubles),
        ...([this.world, this.troubles, stopped] as const),
      );
    await Promise.all([...calls, trouble]).finally(() => {
      clearInterval(progress);
      clearTimeout(timer);
    });
  }

  /** The same without trouble, and what each instance holds after it. */
  async runQuietly(name: "warm-up" | "quiet", lasts: number): Promise<(Held | undefined)[]> {
    if (this.early.aborted) return [];
    await this.run(name, lasts, 3);
    await settle(this.world);
    // Connections that clients keep open are closed when they are idle for long enough.
    await delay(5_000, undefined, { signal: this.early }).catch(() => undefined);
    return Promise.all(
      this.world.instances.map(async ({ pid }) => (pid === undefined ? undefined : heldBy(pid))),
    );
  }

  private tell(): void {
    const { asked, sent, answered } = this.ledger;
    const created = asked.filter(({ outcome }) => nameOf(outcome) === "201").length;
    const done = [...this.troubles.done];
    const count = (word: string) =>
      done.reduce((sum, [name, times]) => sum + (name.includes(word) ? times : 0), 0);
    const seconds = Math.round((performance.now() - this.began) / 1_000);
    this.say(
      `${String(seconds).padStart(4)} s: ${sent} asked, ${answered} answered, ` +
        `${created} × 201, ${count("kill") + count("end a backend")} kills, ` +
        `${count("database")} restarts of the database, ${count("pause")} pauses, ` +
        `${count("connections")} × connections, ${count("state")} × the state away`,
    );
  }
}

/** What must hold when both instances have ended. */
function checkEnds(world: World): Check[] {
  const { instances } = world;
  return [
    checkEach("an instance ends only when it is told to", instances, ({ faults }) => {
      return faults.length > 0 && faults.join("; ");
    }),
    { ...checkLeftovers(world), what: "nor has one that ended in peace" },
  ];
}

function notesOf(
  { instances }: World,
  { operations, tenants }: Facts,
  settled: number | undefined,
): [string, string][] {
  const most = (what: "attempts" | "retries") =>
    String(Math.max(0, ...operations.map((operation) => operation[what])));
  return [
    ...countsOf(operations.map(({ kind }) => `${kind}: accepted`)),
    ...countsOf(tenants.map(({ status }) => `tenants that are ${status}`)),
    [
      "set-ups that were started more than once",
      String(operations.filter(({ attempts }) => attempts > 1).length),
    ],
    ["most starts of one operation", most("attempts")],
    ["most tries of one after a failure", most("retries")],
    ["starts of an instance", String(instances.flatMap(({ pids }) => pids).length)],
    [
      "starts that failed, and were tried again",
      String(instances.reduce((sum, { failedStarts }) => sum + failedStarts, 0)),
    ],
    ["settled after the storm", inSeconds(settled)],
  ];
}

function countsOf(names: readonly string[]): [string, string][] {
  return [...groupBy(names, (name) => name)].map(([name, all]) => [name, String(all.length)]);
}

function inSeconds(ms: number | undefined): string {
  return ms === undefined ? "too long" : `${(ms / 1_000).toFixed(1)} s`;
}
