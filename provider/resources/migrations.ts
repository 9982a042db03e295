import path from "node:path";
import * as pulumi from "@pulumi/pulumi";
import type { PoolClient } from "pg";
import { z } from "zod";
import { baseline } from "../database/baseline";
import { migrate, type MigrationRun } from "../database/dbmate";
import { dropInParts } from "../database/drop-in-parts";
import { readLiveSchema } from "../database/live-schema";
import { MigrationsUnreadableError } from "../contract/errors";
import type { DatabaseIdentity } from "../database/identity";
import {
  migrationVersion,
  missingMessage,
  newestVersion,
  publicMigrationsDir,
  readMigrations,
  type MigrationDigests,
} from "../database/migrations";
import { inTransaction, withConnection } from "../database/pool";
import { grantContents, protectVersions } from "../database/product-roles";
import { emptySchema } from "../database/schema";
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
import type { DatabaseArgs } from "./one-database";

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
  /** Changes with each create: see `newMark`. */
  declare readonly mark: pulumi.Output<string>;

  constructor(name: string, args: MigrationsArgs, opts?: pulumi.CustomResourceOptions) {
    const migrationsDir = fromProgram(args.migrationsDir);
    const outputs = { version: undefined, mark: undefined, faults: undefined };
    super("Migrations", "migrations", name, { ...args, migrationsDir, ...outputs }, opts);
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
};

const digests = { files: true, version: true };

type Inputs = z.infer<z.ZodObject<typeof shape>> & { files: MigrationDigests; version: string };

/** The life cycle of {@link TenantMigrations} and of {@link PublicMigrations}. */
export const migrations = {
  /** Adds `files` and `version`, read from the folder, so that a preview shows what is new by name. */
  check(olds: RawInputs, news: RawInputs) {
    const { inputs, failures } = checkInputs(shape, news);
    if (inputs.schemaName !== "public" && inputs.migrationsDir === undefined) {
      failures.push({ property: "migrationsDir", reason: "is missing: name it on TenantDatabase" });
    }
    if (failures.length > 0) return { inputs, failures };
    const history = olds.schemaName === inputs.schemaName ? (olds.files as MigrationDigests) : {};
    // One that is let go stays as it is, whatever has become of the folder.
    if (inputs.release === true && Object.keys(history).length > 0) {
      return { inputs: { ...inputs, files: history, version: newestVersion(history) }, failures };
    }
    const read = readFolder(folder(inputs));
    if (typeof read === "string") {
      return { inputs, failures: [{ property: "migrationsDir", reason: read }] };
    }
    for (const [file, digest] of Object.entries(history)) {
      if (read[file] === undefined || read[file] === digest) continue;
      failures.push({
        property: "migrationsDir",
        reason: `${file} was edited after it was applied: restore it, and write a new migration instead`,
      });
    }
    const missing = Object.keys(history).filter((file) => read[file] === undefined);
    if (missing.length > 0) {
      const reason = missingMessage(missing, folder(inputs));
      failures.push({ property: "migrationsDir", reason });
    }
    return { inputs: { ...inputs, files: read, version: newestVersion(read) }, failures };
  },

  diff(_id: string, olds: Inputs, news: Inputs) {
    return diffInputs({ ...shape, ...digests }, olds, news, {
      replaces: ["schemaName"],
      ignores: ["migrationsDir", "recreate", "adopt"],
    });
  },

  async create(inputs: Inputs) {
    if (inputs.adopt === true) await baseline(run(inputs));
    await grantAndMigrate(inputs);
    return { id: inputs.schemaName, outs: { ...inputs, mark: newMark() } };
  },

  /**
   * Returns only the files that are applied, so that a refresh shows a half-migrated schema as a change; and
   * whether the schema has its own owner, so that another one is a change too.
   */
  async read(id: string, state: Inputs) {
    const props = withoutOwner(state);
    const live = await readLiveSchema(props.urlEnv, id);
    if (live === undefined) return {};
    const files = Object.fromEntries(
      Object.entries(props.files).filter(([file]) => live.applied.includes(migrationVersion(file))),
    );
    const isolated = live.isolated ? { isolateMigrations: true } : {};
    return { id, props: { ...props, ...isolated, files, version: newestVersion(files) } };
  },

  async update(_id: string, olds: Inputs, news: Inputs) {
    const without = (olds.productRoles ?? []).filter((role) => !news.productRoles?.includes(role));
    if (news.release !== true) await grantAndMigrate(news, without);
    return { outs: updatedOutputs(shape, olds, news) };
  },

  async delete(id: string, props: Inputs) {
    if (!props.forceDestroy) return;
    const { urlEnv, productRoles } = props;
    // A schema of another name is no tenant's.
    const tenantId = rules.id.safeParse(id.replace(/^tenant_/, "")).data;
    const takeOut = async (client: PoolClient) => {
      if (tenantId) await unpublish(client, { tenantId, status: "deleted", productRoles });
    };
    await dropInParts(urlEnv, id, takeOut);
    await inTransaction(urlEnv, async (client) => {
      // In the same transaction, so that nobody finds an active tenant without its tables.
      await takeOut(client);
      await emptySchema(client, id);
      await client.query("delete from public.tenant_migration_digests where schema_name = $1", [
        id,
      ]);
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

function withoutOwner(state: Inputs): Inputs {
  const props = { ...state };
  delete props.isolateMigrations;
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
  return { database: urlEnv, schemaName, files, recreate, isolate, directory: folder(inputs) };
}

/** The public schema's folder is always the package's own. */
function folder(inputs: RawInputs): string {
  if (inputs.schemaName === "public") return publicMigrationsDir;
  return path.resolve(String(inputs.migrationsDir));
}

/**
 * Makes a path that starts at Pulumi.yaml's folder relative to the folder that the program runs in. The
 * provider runs in the same one, and `main` in Pulumi.yaml may set it to another than Pulumi.yaml's.
 */
function fromProgram(directory: string): string {
  if (path.isAbsolute(directory)) return directory;
  return path.relative("", path.resolve(pulumi.runtime.getRootDirectory(), directory)) || ".";
}

function readFolder(directory: string): MigrationDigests | string {
  try {
    return readMigrations(directory);
  } catch (error) {
    if (error instanceof MigrationsUnreadableError) return error.message;
    throw error;
  }
}
