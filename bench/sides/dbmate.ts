import { spawn } from "node:child_process";
import { once } from "node:events";

import type { FleetParts } from "./fleet";

/**
 * What a script does that migrates many schemas: one dbmate for each, one after the other.
 *
 * @throws Error where one fails.
 */
export async function dbmateForEach(
  { databaseUrl, migrationsDir }: FleetParts,
  schemas: readonly string[],
): Promise<void> {
  const { resolveBinary } = await import("dbmate");
  for (const schema of schemas) {
    const url = new URL(databaseUrl);
    url.searchParams.set("search_path", schema);
    url.searchParams.set("sslmode", "disable");
    const args = ["--env", "BENCH_URL", "--no-dump-schema", "--migrations-dir", migrationsDir];
    const child = spawn(resolveBinary(), [...args, "migrate"], {
      env: { BENCH_URL: url.href },
      stdio: ["ignore", "ignore", "inherit"],
    });
    const [code] = (await once(child, "close")) as [number | null];
    if (code !== 0) throw new Error(`dbmate exited with ${code} in schema ${schema}`);
  }
}
