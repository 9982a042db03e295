import { startEmbeddedPostgres } from "../../engine/postgres/embedded";

/** Starts the embedded PostgreSQL of a directory, says so, and waits to be killed. */
async function main([directory = ""]: readonly string[]): Promise<void> {
  await startEmbeddedPostgres({ directory, report: () => undefined });
  process.send?.("started");
  setInterval(() => undefined, 60_000);
}

void main(process.argv.slice(2));
