import path from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { z } from "zod";
import { baseline } from "../database/baseline";
import { migrate } from "../database/dbmate";
import { dropContents } from "../database/drop-contents";
import { loadArchive } from "../database/load-archive";
import { readLiveSchema } from "../database/live-schema";
import type { DatabaseIdentity } from "../database/identity";
import { migrationVersion, newestVersion, type MigrationDigests } from "../database/migrations";
import type { MigrationRun } from "../database/migrator";
import { inTransaction, withConnection } from "../database/pool";
import { grantContents, protectVersions } from "../database/product-roles";
import { notRepaired } from "../database/drift/tables";
import { unpublish } from "../database/tenant-status";
import { rules } from "../contract/rules";
import {
  checkInputs,
  diffInputs,
  DynamicResource,
  newMark,
  updatedOutputs,
  type RawInputs,
} from "./dynamic";
import { folderOf, fromProgram, readFolder } from "./migrations-folder";
import type { DatabaseArgs } from "./one-database";
import {
  filesOnRecord,
  isSound,
  tablesAfter,
  tablesNow,
  tablesOfSome,
  type Tables,
} from "./tables";

/** The inputs of step 4. */
export interface MigrationsArgs extends DatabaseArgs {
  /** Environment variable with the database's URL. */
  urlEnv: pulumi.Input<string>;
  schemaName: pulumi.Input<string>;
  /** The folder with the migrations; a relative one starts at the folder of Pulumi.yaml. */
  migrationsDir: string;
  /** Whether deleting the resource drops all that is in the schema. */
  forceDestroy: pulumi.Input<boolean>;
  /** Whether a schema that was migrated, and whose tables are gone, is made anew, empty. */
  recreate?: pulumi.Input<boolean> | undefined;
  /** Whether the schema is one that is taken over, and may have been migrated before digests were kept. */
  adopt?: pulumi.Input<boolean> | undefined;
  /** Whether the tenant is to be let go: it gets no migration any more. */
  release?: pulumi.Input<boolean> | undefined;
  /** Whether the schema belongs to a role of its own, as whom the migrations run. */
  isolateMigrations?: pulumi.Input<boolean> | undefined;
  /** An archive that is loaded once the schema is made; a relative path starts at the folder of Pulumi.yaml. */
  importFrom?: string | undefined;
}

/**
 * Step 4, migrations: every file of the tenant migrations applied, by dbmate, in the tenant's schema.
 * The resource's id is the schema's name; `files` holds the digest of each applied file.
 */
export class TenantMigrations extends DynamicResource {
  /** What is wrong with the migrations, in a preview: see `failingWhenApplied`. */
  declare readonly faults: pulumi.Output<unknown>;
  /** The newest applied version: the digits its file's name starts with. */
  declare readonly version: pulumi.Output<string>;
  /** SHA-256 of what its migrations have made of the schema; undefined in a state from before it was kept. */
  declare readonly fingerprint: pulumi.Output<string | undefined>;
  /** In which lines a refresh found the schema to differ from that; undefined where it does not. */
  declare readonly differs: pulumi.Output<string[] | undefined>;
  /** Changes with each create: see `newMark`. */
  declare readonly mark: pulumi.Output<string>;

  constructor(name: string, args: MigrationsArgs, opts?: pulumi.CustomResourceOptions) {
    const migrationsDir = fromProgram(args.migrationsDir);
    const importFrom = args.importFrom && fromProgram(args.importFrom);
    const outputs = {
      ...{ version: undefined, fingerprint: undefined, differs: undefined },
      ...{ mark: undefined, faults: undefined },
    };
    const inputs = { ...args, migrationsDir, importFrom, ...outputs };
    super("Migrations", "migrations", name, inputs, opts);
  }
}

/** The control tables' migrations, in the public schema. Deleting the resource drops nothing. */
export class PublicMigrations extends DynamicResource {
  /** Which database it is: the id is in one of the control tables. */
  declare readonly database: pulumi.Output<DatabaseIdentity | undefined>;

  constructor(
    name: string,
    args: Pick<MigrationsArgs, "urlEnv" | "database">,
    opts?: pulumi.CustomResourceOptions,
  ) {
    const inputs = { ...args, schemaName: "public", forceDestroy: false };
    super("PublicMigrations", "migrations", name, inputs, opts);
  }
}

const shape = {
  urlEnv: rules.environmentVariable,
  productRoles: z.array(rules.roleName).min(1).optional(),
  schemaName: z.string().min(1).max(63),
  migrationsDir: z.string().min(1).optional(),
  forceDestroy: z.boolean(),
  recreate: z.boolean().optional(),
  adopt: z.boolean().optional(),
  release: z.boolean().optional(),
  isolateMigrations: z.boolean().optional(),
  importFrom: z.string().min(1).optional(),
};

const digests = { files: true, version: true };

type Inputs = z.infer<z.ZodObject<typeof shape>> &
  Tables & { files: MigrationDigests; version: string };

/** The life cycle of {@link TenantMigrations} and of {@link PublicMigrations}. */
export const migrations = {
  /** Adds `files` and `version`, read from the folder, so that a preview shows what is new by name. */
  check(olds: RawInputs, news: RawInputs) {
    const { inputs, failures } = checkInputs(shape, news);
    if (inputs.schemaName !== "public" && inputs.migrationsDir === undefined) {
      failures.push({ property: "migrationsDir", reason: "is missing: name it on TenantDatabase" });
    }
    if (inputs.importFrom !== undefined && inputs.isolateMigrations === true) {
      const reason =
        "cannot be used with isolateMigrations: its rows would be loaded by another role";
      failures.push({ property: "importFrom", reason });
    }
    if (failures.length > 0) return { inputs, failures };
    const history = olds.schemaName === inputs.schemaName ? (olds.files as MigrationDigests) : {};
    // One that is let go stays as it is, whatever has become of the folder.
    if (inputs.release === true && Object.keys(history).length > 0) {
      return { inputs: { ...inputs, files: history, version: newestVersion(history) }, failures };
    }
    const { files, faults } = readFolder(folderOf(inputs), history);
    failures.push(...faults.map((reason) => ({ property: "migrationsDir", reason })));
    return { inputs: { ...inputs, files, version: newestVersion(files) }, failures };
  },

  /** Tables that somebody changed are no change of the resource, as none is made: each run says so. */
  diff(_id: string, olds: Inputs, news: Inputs) {
    if (olds.differs) console.log(`${olds.schemaName}: ${notRepaired(olds.differs)}`);
    return diffInputs({ ...shape, ...digests }, olds, news, {
      replaces: ["schemaName"],
      ignores: ["migrationsDir", "recreate", "adopt", "importFrom"],
    });
  },

  /** What is loaded is loaded here alone: in the state of a schema that is there, no archive is named. */
  async create(inputs: Inputs) {
    if (inputs.adopt === true) await baseline(run(inputs));
    const wasSound = await isSound(run(inputs));
    await grantAndMigrate(inputs);
    await loadIfAny(inputs);
    const tables = await tablesAfter(run(inputs), wasSound);
    return {
      id: inputs.schemaName,
      outs: { ...withoutArchive(inputs), ...tables, mark: newMark() },
    };
  },

  /**
   * Returns only the files that are applied and on record, so that a refresh shows a half-migrated schema as a
   * change; whether the schema has its own owner, so that another one is a change too; and in what its tables
   * differ from those that the migrations made.
   */
  async read(id: string, state: Inputs) {
    const props = asDeclared(state);
    const live = await readLiveSchema(props.urlEnv, id);
    if (live === undefined) return {};
    const onRecord = await filesOnRecord(props.urlEnv, id);
    const isApplied = (file: string) =>
      live.applied.includes(migrationVersion(file)) && onRecord?.includes(file) !== false;
    const names = Object.keys(props.files);
    const files = Object.fromEntries(
      Object.entries(props.files).filter(([file]) => isApplied(file)),
    );
    const isolated = live.isolated ? { isolateMigrations: true } : {};
    const tables = names.every(isApplied)
      ? await tablesNow(run(state), state)
      : await tablesOfSome({ ...run(state), files });
    const found = { ...isolated, ...tables, files };
    return { id, props: { ...props, ...found, version: newestVersion(files) } };
  },

  async update(_id: string, olds: Inputs, inputs: Inputs) {
    const without = (olds.productRoles ?? []).filter((r) => !inputs.productRoles?.includes(r));
    const known = { ...shape, fingerprint: true, differs: true };
    const outs = withoutArchive(updatedOutputs(known, olds, inputs));
    if (inputs.release === true) return { outs };
    const wasSound = await isSound(run(inputs), olds);
    await grantAndMigrate(inputs, without);
    return { outs: { ...outs, ...(await tablesAfter(run(inputs), wasSound)) } };
  },

  async delete(id: string, props: Inputs) {
    if (!props.forceDestroy) return;
    const { urlEnv, productRoles } = props;
    // A schema of another name is no tenant's.
    const tenantId = rules.id.safeParse(id.replace(/^tenant_/, "")).data;
    await dropContents(urlEnv, id, async (client) => {
      if (tenantId) await unpublish(client, { tenantId, status: "deleted", productRoles });
    });
  },
};

/**
 * The rights come before the migrations: what a migration makes is the product's to use from its first moment, and
 * what it revokes stays revoked.
 *
 * @param without Roles of the product that it has no more.
 */
async function grantAndMigrate(inputs: Inputs, without: readonly string[] = []): Promise<void> {
  const { urlEnv, schemaName, productRoles = [] } = inputs;
  if (productRoles.length + without.length > 0) {
    await inTransaction(urlEnv, (client) =>
      grantContents(client, schemaName, productRoles, without),
    );
  }
  await migrate(run(inputs));
  if (productRoles.length > 0) {
    await withConnection(urlEnv, (client) => protectVersions(client, schemaName, productRoles));
  }
}

function withoutArchive<Props extends { importFrom?: unknown }>({ ...props }: Props): Props {
  delete props.importFrom;
  return props;
}

async function loadIfAny({ importFrom, ...inputs }: Inputs): Promise<void> {
  if (importFrom === undefined) return;
  const { urlEnv: database, schemaName, files } = inputs;
  const tenantId = schemaName.replace(/^tenant_/, "");
  await loadArchive({ database, tenantId, files, file: path.resolve(importFrom) });
}

/** The state without what only the schema itself can tell. */
function asDeclared(state: Inputs): Inputs {
  const props = { ...state };
  delete props.isolateMigrations;
  delete props.fingerprint;
  delete props.differs;
  return props;
}

function run(inputs: Inputs): MigrationRun {
  const {
    urlEnv,
    schemaName,
    files,
    recreate = false,
    isolateMigrations: isolate = false,
  } = inputs;
  return { database: urlEnv, schemaName, files, recreate, isolate, directory: folderOf(inputs) };
}
