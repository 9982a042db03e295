import { writeFileSync } from "node:fs";
import path from "node:path";
import { migrations } from "../../../provider/resources";
import { readMigrations } from "../../../provider/database/migrations";
import { rollBack } from "../../../provider/database/roll-back";
import { useIsolatedTenants, type TenantToMigrate } from "../../support/isolated-tenants";

const database = useIsolatedTenants();

const rollBackTo = (to: string, tenant: TenantToMigrate, isolate: boolean) => {
  const { migrationsDir: directory = "" } = tenant.inputs();
  const { schemaName } = tenant;
  const files = readMigrations(directory);
  return rollBack({ database: database.urlEnv, schemaName, directory, files, isolate, to });
};

test.each([true, false])(
  "a refresh finds what was undone, and the next up applies it again: isolated %s",
  async (isolated) => {
    const tenant = await database.newTenant("create table a (id int)");
    const { outs: first } = await migrations.create(tenant.inputs(isolated));
    const file = path.join(tenant.inputs().migrationsDir ?? "", "2_m.sql");
    writeFileSync(
      file,
      "-- migrate:up\ncreate table b (id int);\n-- migrate:down\ndrop table b;\n",
    );
    const { outs: second } = await migrations.update(
      tenant.schemaName,
      first,
      tenant.inputs(isolated),
    );
    const owners = await database.ownersIn(tenant.schemaName);
    expect(await rollBackTo("1", tenant, isolated)).toEqual(["2_m.sql"]);

    const { props = second } = await migrations.read(tenant.schemaName, second);
    expect(props).toMatchObject({ files: first.files, fingerprint: first.fingerprint });
    expect(props).not.toHaveProperty("differs");
    const { outs: third } = await migrations.update(
      tenant.schemaName,
      props,
      tenant.inputs(isolated),
    );
    expect(third).toEqual(second);
    expect(await database.ownersIn(tenant.schemaName)).toEqual(owners);
  },
);
