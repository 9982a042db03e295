import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { LocalWorkspace, PulumiCommand, Stack, type OpMap } from "@pulumi/pulumi/automation";
import { declareStack, type TenantDeclaration } from "../../program/stack";
import { PROJECT } from "../../service/config/project";

/** What a refresh and an `up` would do: how many resources of each operation. */
export type Previewed = OpMap;

/**
 * A process that previews stacks as the service would run them, and sends its parent what it saw of each. Its
 * arguments are, for each stack, its name and its tenants as JSON.
 */
async function main([stack, declared, ...rest]: readonly string[]): Promise<void> {
  if (stack === undefined || declared === undefined) return;
  const changes = await previewOf(stack, JSON.parse(declared) as TenantDeclaration[]);
  process.send?.({ stack, changes });
  await main(rest);
}

async function previewOf(
  stackName: string,
  tenants: readonly TenantDeclaration[],
): Promise<Previewed> {
  const workDir = mkdtempSync(path.join(tmpdir(), "preview-"));
  try {
    writeFileSync(path.join(workDir, "Pulumi.yaml"), `name: ${PROJECT}\nruntime: nodejs\n`);
    symlinkSync(path.resolve(__dirname, "../../../node_modules"), `${workDir}/node_modules`);
    const workspace = await LocalWorkspace.create({
      workDir,
      pulumiCommand: await PulumiCommand.get(),
      program: () => {
        const { TENANT_MIGRATIONS_DIR: migrationsDir = "" } = process.env;
        const database = {
          ...{ migrationsDir, publicMigrations: false, passwordFromEnvironment: true },
          productRoles: process.env.PRODUCT_ROLES?.split(",") ?? [],
          isolateMigrations: process.env.TENANT_ROLES === "true",
        };
        return Promise.resolve(declareStack({ database, tenants }));
      },
    });
    const stack = await Stack.select(stackName, workspace);
    const { changeSummary } = await stack.preview({ refresh: true });
    return changeSummary;
  } finally {
    rmSync(workDir, { recursive: true });
  }
}

main(process.argv.slice(2)).then(
  () => process.disconnect(),
  (error: unknown) => {
    process.exitCode = 1;
    process.send?.({ fault: String(error) }, () => process.disconnect());
  },
);
