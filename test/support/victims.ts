import type { KillHarness } from "./kill-harness";
import { eventually, startedBy } from "./killable-service";

const commands = {
  "program host": /pulumi\/host\.js/,
  "Pulumi CLI": /pulumi (up|refresh) /,
  "dynamic provider": /dynamic-provider/,
  "postgresql plugin": /pulumi-resource-postgresql|postgresql\/main\.js/,
  dbmate: /dbmate.* migrate/,
};

/** A process that a service starts. */
type Process = keyof typeof commands;

/** What of a service a test kills. */
export type Victim = Process | "service" | "PostgreSQL backend" | "PostgreSQL sessions";

/**
 * Kills it where it is there just now, and starts the service again where that is it.
 *
 * @returns whether there was something to kill.
 */
export async function killIfThere(
  harness: KillHarness,
  victim: Process | "service",
): Promise<boolean> {
  if (victim === "service") {
    await killVictim(harness, victim, 0);
    return true;
  }
  const victims = harness.processes(commands[victim]);
  for (const { pid } of victims) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // It has ended meanwhile.
    }
  }
  return victims.length > 0;
}

/** Kills it, and starts the service again where that is it. @param backend The PostgreSQL backend that waits. */
export async function killVictim(
  harness: KillHarness,
  victim: Victim,
  backend: number,
): Promise<void> {
  const { service, database } = harness;
  switch (victim) {
    case "service": {
      const { child } = service();
      await service().kill();
      await harness.restart();
      await eventually(() => (startedBy(child.pid).length === 0 ? true : undefined));
      return;
    }
    case "PostgreSQL backend":
      return database.asSuperuser(`select pg_terminate_backend(${backend})`);
    case "PostgreSQL sessions":
      // The service's, the queue's and the run's, but for those of the test.
      return database.asSuperuser(
        `select pg_terminate_backend(pid) from pg_stat_activity
        where datname = current_database() and application_name <> '' and pid <> pg_backend_pid()`,
      );
    default: {
      const victims = harness.processes(commands[victim]);
      expect(victims).not.toEqual([]);
      for (const { pid } of victims) process.kill(pid, "SIGKILL");
    }
  }
}
