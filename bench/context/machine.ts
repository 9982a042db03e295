import { availableParallelism, cpus, loadavg, release, totalmem, type } from "node:os";
import dbmatePackage from "dbmate/package.json";
import type { BenchContext } from "./context";
import { optionsSet } from "../sides/service-environment";
import { sql } from "../measure/sql";

/** The machine that the bench ran on: the lines of its table, by their names. */
export type Machine = Readonly<Record<string, string>>;

/** @param load The machine's load average when the bench began. */
export async function describeMachine(
  { engine, databases }: BenchContext,
  load: readonly number[],
): Promise<Machine> {
  const [row] = await sql<{ version: string }>(
    await databases.empty("machine"),
    "select current_setting('server_version') as version",
  );
  return {
    cores: String(availableParallelism()),
    CPU: cpus()[0]?.model ?? "unknown",
    memory: `${(totalmem() / 2 ** 30).toFixed(0)} GB`,
    system: `${type()} ${release()}`,
    "load before": load.map((each) => each.toFixed(2)).join(", "),
    Node: process.version,
    ...Object.fromEntries(
      engine.pieces.map(({ name, version, origin }) => [
        name,
        // A reader must not take a stand-in for the official piece.
        origin === "stand-in" ? `a stand-in for ${version}` : `${version}, ${origin}`,
      ]),
    ),
    PostgreSQL: `${row?.version ?? "unknown"}, temporary, fsync off`,
    dbmate: dbmatePackage.version,
    "service options": optionsSet(process.env).join(" ") || "defaults",
  };
}

/** The load average over the last 1, 5 and 15 minutes. */
export function currentLoad(): readonly number[] {
  return loadavg();
}
