import { cpSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { runTool } from "../../scripts/tool.cjs";
import { checkout } from "../../engine/obtain/places";
import { tenantMigrationsDir } from "../../provider/database/migrations";
import { newTenant, type NewTenant } from "../measure/tenants";

/** A stack of many tenants, as a platform engineer has it: configuration, and the CLI. */
export interface ManyInOneStack {
  /** Runs `pulumi …` in the project. @throws Error when it fails, with the end of its output. */
  readonly run: (...args: string[]) => Promise<void>;
}

/**
 * Makes a project of its own with a stack `dev` of new tenants, whose passwords are secrets in its
 * configuration.
 *
 * @param directory An empty folder.
 * @param env What the CLI is started with.
 */
export async function stackOf(
  count: number,
  directory: string,
  cli: string,
  env: NodeJS.ProcessEnv,
): Promise<ManyInOneStack> {
  const example = path.join(checkout, "examples/three-tenants");
  for (const file of ["Pulumi.yaml", "package.json", "index.js"]) {
    cpSync(path.join(example, file), path.join(directory, file));
  }
  // So the program of the example finds this checkout as its package pulumi-tenant.
  symlinkSync(path.join(checkout, "node_modules"), path.join(directory, "node_modules"));
  const run = async (...args: string[]) => {
    const { ok, output } = await runTool(cli, [...args, "--non-interactive", "--color=never"], {
      cwd: directory,
      environment: env,
    });
    if (!ok) throw new Error(`pulumi ${args[0] ?? ""} failed: ${output.slice(-5).join(" ")}`);
  };
  const tenants = Array.from({ length: count }, newTenant);
  // JSON is valid YAML.
  const config = {
    "three-tenants:database": { migrationsDir: tenantMigrationsDir },
    "three-tenants:tenants": tenants.map(withoutPassword),
  };
  writeFileSync(path.join(directory, "Pulumi.dev.yaml"), JSON.stringify({ config }));
  await run("stack", "init", "dev", "--secrets-provider", "passphrase");
  const passwords = tenants.flatMap(({ adminPassword }, index) => [
    "--secret",
    `tenants[${index}].adminPassword=${adminPassword}`,
  ]);
  await run("config", "set-all", "--path", "--stack", "dev", ...passwords);
  return { run };
}

function withoutPassword(tenant: NewTenant): object {
  return { ...tenant, adminPassword: undefined };
}
