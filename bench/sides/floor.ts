import { tenantMigrationsDir } from "../../provider/database/migrations";
import { withConnection } from "../../provider/database/pool";
import { hashPassword } from "../../provider/contract/passwords";
import { adminMembership, adminUser, migrations, tenantRecord } from "../../provider/resources";
import type { Marks } from "../measure/phases";
import { newTenant } from "../measure/tenants";

/**
 * The five steps with no engine: the very code of the resources, called one after the other in this
 * process, over its connection pool. dbmate is a process of its own here too.
 *
 * @param urlEnv The environment variable that holds the database's URL.
 * @returns when each step ended, in ms.
 */
export async function floor(urlEnv: string, migrationsDir = tenantMigrationsDir): Promise<Marks> {
  const { name, slug, adminEmail: email, adminPassword, ...admin } = newTenant();
  const { adminFirstName: firstName, adminLastName: lastName } = admin;
  const common = { urlEnv, forceDestroy: false };
  const marks: [string, number][] = [["start", performance.now()]];
  const mark = (step: string) => void marks.push([step, performance.now()]);

  const owner = `bench/floor/${slug}`;
  const password = await hashPassword(adminPassword, `${owner} ${email}`);
  mark("hash");
  const record = await tenantRecord.create({ ...common, name, slug, owner });
  mark("record");
  const tenantId = record.id;
  const user = { ...common, tenantId, email, password, firstName, lastName };
  const { id: userId } = await adminUser.create(user);
  mark("admin");
  const schemaName = `tenant_${tenantId}`;
  await withConnection(urlEnv, (client) =>
    client.query(`create schema ${client.escapeIdentifier(schemaName)}`),
  );
  mark("schema");
  await migrations.create(migrationInputs({ ...common, schemaName, migrationsDir }));
  mark("migrations");
  await adminMembership.create({ ...common, tenantId, userId, status: "active" });
  mark("membership");
  return marks;
}

type MigrationInputs = Parameters<typeof migrations.create>[0];

/**
 * The inputs of the migrations resource with the digest of each file, as the engine gets them from `check`.
 *
 * @throws Error when `check` refuses them.
 */
export function migrationInputs(given: {
  readonly urlEnv: string;
  readonly schemaName: string;
  readonly forceDestroy: boolean;
  /** Not for the public schema. */
  readonly migrationsDir?: string;
}): MigrationInputs {
  const { inputs, failures } = migrations.check({}, given);
  const [failure] = failures;
  if (failure !== undefined) throw new Error(`${failure.property} ${failure.reason}`);
  return inputs as unknown as MigrationInputs;
}
