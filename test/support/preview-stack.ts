import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { LocalWorkspace, PulumiCommand, Stack, type OpMap } from "@pulumi/pulumi/automation";
import { declareStack, type TenantDeclaration } from "../../program/stack";
import { PROJECT } from "../../service/config/project";

/** What a refresh and an `up` would do: how many resources of each operation. */
export type Previewed = OpMap;

/** A process that previews a stack as the service would run it, and sends its parent what it saw. */
async function main([stackName = "", declaration = ""]: readonly string[]): Promise<void> {
  const tenant = JSON.parse(declaration) as TenantDeclaration;
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
        };
        return Promise.resolve(declareStack({ database, tenants: [tenant] }));
      },
    });
    const stack = await Stack.select(stackName, workspace);
    const { changeSummary } = await stack.preview({ refresh: true });
    process.send?.({ changes: changeSummary });
  } finally {
    rmSync(workDir, { recursive: true });
  }
}

main(process.argv.slice(2)).then(
  () => process.disconnect(),
  (error: unknown) => {
    process.send?.({ fault: String(error) });
    process.exitCode = 1;
  },
);
