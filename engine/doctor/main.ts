import { tryPieces } from "./pieces";
import { tryDatabase, tryDbmate, tryTenantRoles } from "./database";
import type { Finding } from "./finding";
import { usualPlaces } from "../obtain/places";

const HELP = `npm run doctor

Looks for every piece that this project runs on, tries each for real, and prints
what it found. It installs and changes nothing. Exit code 1: something is missing
or does not work, and the lines below the table say what to do.

DATABASE_URL  the database to try; without it, the embedded one
TENANT_ROLES  "true": tries whether its role may make a role for each tenant
`;

async function main(args: readonly string[]): Promise<number> {
  if (args.length > 0) {
    process.stdout.write(HELP);
    return args.every((arg) => arg === "--help" || arg === "-h") ? 0 : 1;
  }
  const findings = (
    await Promise.all([
      ...[tryPieces(usualPlaces()), tryDbmate(), tryDatabase(process.env)],
      tryTenantRoles(process.env),
    ])
  ).flat();
  process.stdout.write(table(findings));
  for (const line of findings.flatMap(({ notUsed = [] }) => notUsed)) {
    process.stdout.write(`\n${line}\n`);
  }
  const problems = findings.filter(({ problem }) => problem !== undefined);
  for (const { piece, problem } of problems) process.stdout.write(`\n${piece}: ${problem ?? ""}`);
  if (problems.length > 0) process.stdout.write("\n");
  return problems.length > 0 ? 1 : 0;
}

function table(findings: readonly Finding[]): string {
  const rows = [
    ["piece", "version", "from", "works"],
    ...findings.map(({ piece, version, origin, problem, durationMs }) => [
      piece,
      version ?? "-",
      origin ?? "missing",
      problem === undefined ? `yes, ${Math.round(durationMs ?? 0)} ms` : "no",
    ]),
  ];
  const widths = [0, 1, 2, 3].map((i) => Math.max(...rows.map((row) => row[i]?.length ?? 0)));
  const line = (row: readonly string[]) =>
    row
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join("  ")
      .trimEnd();
  return `${rows.map(line).join("\n")}\n`;
}

void main(process.argv.slice(2)).then((code) => (process.exitCode = code));
