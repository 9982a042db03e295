/** `npm run soak`: makes trouble for the service, then looks whether anything was lost. */
import { existsSync } from "node:fs";
import { hasTenantRoles, help, OptionsError, readOptions } from "./options";
import { holds, tableOf } from "./report";
import { soak } from "./soak";
import { HangError, watchForHang } from "./watcher";
import { endWorld, makeWorld } from "./world";

const say = (line: string) => void process.stdout.write(`${line}\n`);

async function main(): Promise<number> {
  const options = readOptions(process.argv.slice(2));
  if (options === "help") {
    say(help);
    return 0;
  }
  if (!existsSync("/proc/self/environ")) {
    throw new OptionsError("the soak finds what it kills in /proc, so it needs Linux");
  }
  say(`seed ${options.seed}, ${options.minutes} minutes`);
  const early = stopBySignals();
  const world = await makeWorld(hasTenantRoles(options), say);
  let isWell = false;
  try {
    const over = new AbortController();
    const logs = Object.fromEntries(world.instances.map(({ name, log }) => [name, log]));
    const hang = watchForHang({ url: world.postgres.url, logs }, over.signal);
    const result = await Promise.race([
      soak(options, world, early.stop, say),
      early.now,
      hang.then(() => undefined),
    ]).finally(() => over.abort());
    if (result === undefined) return 130;
    say(`\n${tableOf(result)}`);
    isWell = holds(result);
    return isWell ? 0 : 1;
  } finally {
    await endWorld(world, !isWell);
    if (!isWell) say(`The logs of the instances are in ${world.logs}`);
  }
}

/** The first signal ends the load, and the rest is done; the second ends everything at once. */
function stopBySignals(): { readonly stop: AbortSignal; readonly now: Promise<undefined> } {
  const stop = new AbortController();
  let began = 0;
  const now = new Promise<undefined>((resolve) => {
    const onSignal = () => {
      // A terminal's signal and npm's copy of it come together.
      if (stop.signal.aborted && performance.now() - began > 500) resolve(undefined);
      if (stop.signal.aborted) return;
      began = performance.now();
      say("ending early");
      stop.abort();
    };
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, onSignal);
  });
  return { stop: stop.signal, now };
}

main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    const known = error instanceof OptionsError;
    const hung = error instanceof HangError;
    console.error(
      known ? `${error.message}; see --help` : hung ? `HANGS: ${error.message}` : error,
    );
    process.exit(known ? 2 : 1);
  },
);
