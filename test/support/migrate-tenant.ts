import { migrations, tenantRecord } from "../../provider/resources";

/** Does one thing with a tenant in a process of its own, which a test kills: see `MigrateTask`. */
async function main([task = ""]: readonly string[]): Promise<void> {
  const { inputs, id, record } = JSON.parse(task) as MigrateTask;
  if (inputs !== undefined) await migrations.create(inputs);
  if (record !== undefined) await tenantRecord.delete(id ?? "", record);
}

/** Either step 4's inputs, to migrate a schema; or step 1's state, to delete the tenant. */
export interface MigrateTask {
  readonly inputs?: Parameters<typeof migrations.create>[0];
  readonly id?: string;
  readonly record?: Parameters<typeof tenantRecord.create>[0];
}

void main(process.argv.slice(2));
