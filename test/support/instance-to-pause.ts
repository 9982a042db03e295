import { openDatabase } from "../../service/database/database";
import { FakeEngineRuns, startService } from "./service-app";

/**
 * A service without an engine, as a process of its own, on the database of DATABASE_URL. It tells its
 * parent of each run that it begins; each ends, and has made nothing, when the parent says so.
 */
async function main(): Promise<void> {
  const runs = new FakeEngineRuns(async ({ slug }) => {
    const told = new Promise((resolve) => process.once("message", resolve));
    process.send?.({ began: slug });
    await told;
    return { result: "failed", faults: ["made nothing"] };
  });
  const service = await startService(openDatabase(process.env.DATABASE_URL ?? ""), runs);
  process.once("SIGTERM", () => void service.close().then(() => process.exit(0)));
  process.once("disconnect", () => process.exit(1));
  process.send?.("started");
}

void main();
