import { parseArgs } from "node:util";
import type { Choice } from "./choice";

/** What `npm run fleet` says of itself. */
export const help = `Migrates many tenants, by the very code that migrates one.

  npm run fleet -- status               how many tenants have which migrations, and which lack some

  --owner OWNER       service (default), all, or the stack that declares them: organization/project/stack
  --only SLUG,…       these tenants alone
  --migrations DIR    the folder with the migrations (default: TENANT_MIGRATIONS_DIR)
  --json              JSON instead of text
  --help              prints this

It reads DATABASE_URL, or uses the embedded database while npm start runs. It exits with 0 when all is well, with 1
when something was refused or has failed.`;

/** The command line cannot be understood. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

const commands = ["status"] as const;

/** What the command line says. */
export interface Arguments {
  readonly command: (typeof commands)[number];
  readonly choice: Choice;
  readonly migrations: string | undefined;
  readonly json: boolean;
}

/** @throws {@link UsageError} in one line that says what is wrong. */
export function readArguments(args: string[]): "help" | Arguments {
  const { values, positionals } = parse(args);
  if (values.help) return "help";
  const [name, ...more] = positionals;
  const command = commands.find((known) => known === name);
  if (command === undefined || more.length > 0) {
    throw new UsageError(`name one of ${commands.join(", ")}: see --help`);
  }
  const only = (values.only ?? "").split(",").filter((slug) => slug !== "");
  return {
    ...{ command, choice: { owner: values.owner, only } },
    ...{ migrations: values.migrations, json: values.json },
  };
}

function parse(args: string[]) {
  try {
    return parseArgs({
      args,
      allowPositionals: true,
      options: {
        owner: { type: "string", default: "service" },
        only: { type: "string" },
        migrations: { type: "string" },
        json: { type: "boolean", default: false },
        help: { type: "boolean", default: false },
      },
    });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new UsageError(`${reason}: see --help`, { cause: error });
  }
}
