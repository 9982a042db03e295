/** `npm run fleet`: the migrations of many tenants, from the command line. */
import { readArguments, type Arguments, type Command } from "./arguments";
import { migrate, resume } from "./commands/migrate";
import { plan } from "./commands/plan";
import { rollback } from "./commands/rollback";
import { status } from "./commands/status";
import { cancel, pause, watch } from "./commands/watch";
import { help } from "./help";

/** Each gives the exit code. */
const commands: Record<Command, (args: Arguments) => Promise<number>> = {
  status,
  plan,
  migrate,
  resume,
  watch,
  pause,
  cancel,
  rollback,
};

async function main(): Promise<number> {
  const args = readArguments(process.argv.slice(2));
  if (args !== "help") return commands[args.command](args);
  console.log(help);
  return 0;
}

main().then(
  (code) => (process.exitCode = code),
  (error: unknown) => {
    console.error(error instanceof Error ? error.message : String(error));
    process.exitCode = 1;
  },
);
