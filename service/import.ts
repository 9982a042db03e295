/** `npm run import`: makes a tenant from an archive. */
import path from "node:path";
import { parseArgs } from "node:util";
import { pino } from "pino";
import { withProgress } from "../scripts/tool.cjs";
import { readArchive, type Archive } from "../provider/archive/read";
import { assertSameMigrations } from "../provider/database/archive-fits";
import { readMigrations } from "../provider/database/migrations";
import { readImportSettings } from "./config/import-settings";
import { openDatabase } from "./database/database";
import { startLoneInstance } from "./lone-instance";
import { askForImport } from "./operations/ask-for-import";
import { importRequest, type ImportRequest } from "./operations/kinds/import";
import { redactor } from "./system/redact";
import { Shutdown } from "./system/shutdown";

const help = `Makes a tenant from an archive that GET /api/tenant/{id}/export wrote, by the settings of the service.

  npm run import -- FILE --slug SLUG

  --slug              the new tenant's slug
  --name              its name (default: that of the archive)
  --admin-email       its admin, who is linked where there is such a user (default: that of the archive)
  --admin-first-name  of an admin who is made (default: that of the archive)
  --admin-last-name   the same
  --help              prints this

ADMIN_PASSWORD in the environment is the password of an admin who is made; without it they have none yet. Where
the command was cut off, the same command goes on from there. It exits with 0 when the tenant is active, with 1
when it was refused or has failed, and with 2 when it cannot be understood.`;

/** The command line cannot be understood. */
class UsageError extends Error {
  override readonly name = "UsageError";
}

const report = (line: string) => void process.stderr.write(`${line}\n`);
const shutdown = new Shutdown((error) => report(messageOf(error)));

async function main(): Promise<void> {
  const options = readArguments(process.argv.slice(2));
  if (options === "help") {
    console.log(help);
    return;
  }
  const { ADMIN_PASSWORD: adminPassword } = process.env;
  // Every process that this one starts would have it.
  delete process.env.ADMIN_PASSWORD;
  const settings = await readImportSettings(process.env);
  const archive = await check(options.file);
  const request = requestOf(options, archive, adminPassword);
  assertSameMigrations(options.file, archive.manifest, readMigrations(settings.migrationsDir));

  shutdown.listen();
  const redact = redactor([settings.passphrase, adminPassword]);
  const log = pino(
    { level: settings.logLevel },
    { write: (line: string) => void process.stderr.write(redact(line)) },
  );
  const database = openDatabase(settings.databaseUrl);
  const instance = await startLoneInstance({ ...settings, database, shutdown, log, report });
  const id = await askForImport(database, request, archive);
  const operation = await slowly("loading", () => instance.finish(id));
  if (operation.failure !== null) throw new Error(operation.failure.message);
  const rows = archive.manifest.tables.reduce((sum, table) => sum + table.rows, 0);
  console.log(`${request.slug} (${operation.tenantId}) is active: ${rows} rows`);
}

function readArguments(args: string[]): "help" | Options {
  const text = { type: "string" } as const;
  const { values, positionals } = parseOrRefuse(() =>
    parseArgs({
      args,
      allowPositionals: true,
      options: {
        ...{ slug: text, name: text, "admin-email": text, "admin-first-name": text },
        ...{ "admin-last-name": text, help: { type: "boolean" } },
      },
    }),
  );
  if (values.help) return "help";
  const [file, ...more] = positionals;
  if (file === undefined || more.length > 0) throw new UsageError("name one FILE: see --help");
  if (values.slug === undefined) throw new UsageError("--slug is missing: see --help");
  // npm changes to the project's folder first. INIT_CWD is the folder in which it was called.
  const folder = process.env.INIT_CWD ?? process.cwd();
  return { ...values, slug: values.slug, file: path.resolve(folder, file) };
}

interface Options {
  readonly file: string;
  readonly slug: string;
  readonly name?: string | undefined;
  readonly "admin-email"?: string | undefined;
  readonly "admin-first-name"?: string | undefined;
  readonly "admin-last-name"?: string | undefined;
}

/** Reads all of it before anything is made, with a line where that takes longer. */
async function check(file: string): Promise<Archive> {
  let bytes = 0;
  return slowly(
    () => `checking ${file}: ${Math.round(bytes / 1_000_000)} MB`,
    () => readArchive(file, (read) => (bytes += read)),
  );
}

/** @throws {@link UsageError} with every fault. */
function requestOf(
  options: Options,
  { manifest: { tenant, admin } }: Archive,
  adminPassword: string | undefined,
): ImportRequest {
  const parsed = importRequest.safeParse({
    name: options.name ?? tenant.name,
    slug: options.slug,
    adminEmail: options["admin-email"] ?? admin?.email,
    adminFirstName: options["admin-first-name"] ?? admin?.firstName,
    adminLastName: options["admin-last-name"] ?? admin?.lastName,
    ...(adminPassword === undefined ? {} : { adminPassword }),
    importFrom: options.file,
  });
  if (parsed.success) return parsed.data;
  const faults = parsed.error.issues.map(({ path: [field], message }) => {
    const name = String(field).replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    return `${field === "adminPassword" ? "ADMIN_PASSWORD" : `--${name}`} ${message}`;
  });
  throw new UsageError(faults.join("\n"));
}

/** Reports what it is at where it takes longer than two seconds. */
function slowly<T>(what: string | (() => string), work: () => Promise<T>): Promise<T> {
  let isFirst = true;
  const later = (line: string) => {
    if (!isFirst) report(line);
    isFirst = false;
  };
  return withProgress(later, typeof what === "string" ? () => what : what, work);
}

function parseOrRefuse<T>(parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw new UsageError(`${messageOf(error)}: see --help`, { cause: error });
  }
}

const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error));

main().then(
  () => shutdown.end(),
  async (error: unknown) => {
    if (!shutdown.begun) report(messageOf(error));
    await shutdown.end();
    process.exitCode = error instanceof UsageError ? 2 : 1;
  },
);
