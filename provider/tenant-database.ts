import * as postgresql from "@pulumi/postgresql";
import * as pulumi from "@pulumi/pulumi";
import { ConfigurationError, DatabaseUnreachableError, TenantError } from "./contract/errors";
import { assertMayIsolate } from "./database/owner-role";
import { identify, type DatabaseIdentity } from "./database/identity";
import { withConnection } from "./database/pool";
import { assertProductRoles } from "./database/product-roles";
import {
  assertVariableName,
  CONFIGURED_URL,
  connectionSettings,
  DEFAULT_URL_VARIABLE,
  parseDatabaseUrl,
  unverified,
  type ConnectionSettings,
} from "./database/settings";
import { rules } from "./contract/rules";
import { warnOfLeftOut } from "./left-out";
import { isMocked } from "./mocked";
import { valueOf } from "./outputs";
import { pluginArgs } from "./plugin-args";
import { DynamicProvider } from "./resources/dynamic";
import { PublicMigrations } from "./resources/migrations";
import type { DatabaseArgs } from "./resources/one-database";

/** The arguments of {@link TenantDatabase}. */
export interface TenantDatabaseArgs {
  /**
   * The folder with the migrations that every tenant here gets; a relative one starts at the folder of
   * Pulumi.yaml. There is no default: a product's tables are its own.
   */
  migrationsDir: string;
  /**
   * The environment variable that holds the database's URL, wherever the engine runs. The state
   * holds this name, never the URL. Default: `DATABASE_URL`, unless there is `url`.
   */
  urlEnv?: string;
  /**
   * The URL itself, in the place of `urlEnv`: for a database that is made in the same stack. The state holds it,
   * encrypted, as the configuration of the database's two providers.
   */
  url?: pulumi.Input<string>;
  /** `false` when the control tables in the public schema are migrated in another way. Default: `true`. */
  publicMigrations?: boolean;
  /**
   * `true` to keep the password out of the postgresql provider's inputs, and so out of the state. The
   * plugin then reads it from PGPASSWORD, which must be set wherever the engine runs. Default:
   * `false`: the state holds it as a secret.
   */
  passwordFromEnvironment?: boolean;
  /**
   * Whether the program asks the database which one it is, before any resource is declared. `false` saves
   * that query where every run refreshes first, because a refresh asks it for each resource. Default: `true`.
   */
  askFirst?: boolean;
  /**
   * The roles as which the product works on its tenants' tables. They get rights on what is in a tenant's schema
   * and what later migrations make there, and can use it as long as the tenant is active, and at no other time.
   * Default: none, and nobody is granted anything.
   */
  productRoles?: readonly string[];
  /**
   * Whether each tenant's schema belongs to a role of its own, as which its migrations log in: they can read
   * and change nothing of other tenants, and no control table. The role of the URL needs CREATEROLE for that,
   * on PostgreSQL 16 or newer: see docs/operating.md. Can be changed. Default: `false`.
   */
  isolateMigrations?: boolean;
}

/**
 * The database in which tenants live: the control tables in its public schema, and the
 * `postgresql.Provider` through which their schemas are made.
 *
 * @example
 * const database = new TenantDatabase("database", { migrationsDir: "migrations" });
 * new Tenant("acme", { …, database });
 */
export class TenantDatabase extends pulumi.ComponentResource {
  /** The folder with the tenants' migrations. */
  readonly migrationsDir: string;
  /** The name of the environment variable with the URL; `url` where the provider is configured with it. */
  readonly urlEnv: string;
  /** Whether each tenant's schema has an owner of its own. */
  readonly isolateMigrations: boolean;
  /** The provider for resources of @pulumi/postgresql in this database. */
  readonly provider: postgresql.Provider;
  /** The provider of the steps that are dynamic resources. */
  readonly dynamicProvider: pulumi.ProviderResource;
  /** The product's roles, in alphabetical order; undefined where none are named. */
  readonly productRoles: readonly string[] | undefined;
  /** Which database was found; undefined with `askFirst: false`, or when a preview could not ask it. */
  readonly identity: pulumi.Output<DatabaseIdentity | undefined>;
  /** Like {@link identity}, and undefined, too, where only the state knows which database it is. */
  readonly found: pulumi.Output<DatabaseIdentity | undefined>;
  /** How this program itself connects; undefined where a preview has no URL. A secret. */
  readonly settings: pulumi.Output<ConnectionSettings> | undefined;

  /**
   * A database that does not answer fails the program with `DATABASE_UNREACHABLE`, in a preview only with a
   * warning; a copy that nobody has declared fails it with `OTHER_DATABASE`.
   *
   * @throws {@link ConfigurationError} when `migrationsDir` is missing; when both `url` and `urlEnv` are given;
   * when the environment variable is not usable, or, in `pulumi up`, not set; or when a product role is not
   * usable, or, unless `askFirst` is `false`, not there.
   */
  constructor(name: string, args: TenantDatabaseArgs, opts: pulumi.ComponentResourceOptions = {}) {
    super("pulumi-tenant:index:TenantDatabase", name, {}, opts);
    this.migrationsDir = migrationsDirOf(name, args);
    this.urlEnv = urlVariableOf(name, args);
    this.productRoles = readRoles(args.productRoles);
    this.isolateMigrations = args.isolateMigrations ?? false;
    const url = args.url === undefined ? undefined : pulumi.secret(args.url);
    this.settings = url?.apply((text) => parseDatabaseUrl(text, "url")) ?? this.readSettings(args);
    this.dynamicProvider = new DynamicProvider(name, url, { parent: this });
    warnOfLeftOut(this.dynamicProvider);
    const found = pulumi.output((args.askFirst ?? true) ? this.ask(this.settings) : undefined);
    this.found = found;
    const migrations = (args.publicMigrations ?? true) ? this.migrations(name, found) : undefined;
    // A new database has no identity until its control tables are made: it is a row in one of them.
    this.identity = found.apply((known) =>
      known?.id === undefined && migrations !== undefined ? migrations.database : found,
    );
    this.provider = new postgresql.Provider(name, pluginArgs(this.settings, args), {
      parent: this,
      // When the migrations refuse the database as another one, the engine must not have saved the
      // connection to it in the state already.
      dependsOn: migrations ?? [],
    });
    this.registerOutputs({ urlEnv: this.urlEnv });
  }

  private migrations(name: string, database: DatabaseArgs["database"]): PublicMigrations {
    const opts = { parent: this, provider: this.dynamicProvider };
    return new PublicMigrations(name, { urlEnv: this.urlEnv, database }, opts);
  }

  private readSettings({
    passwordFromEnvironment = false,
  }: TenantDatabaseArgs): pulumi.Output<ConnectionSettings> | undefined {
    if (isMocked()) return undefined;
    if (pulumi.runtime.isDryRun() && !process.env[this.urlEnv]) {
      void pulumi.log.warn(
        `${this.urlEnv} is not set: this preview cannot tell whether the connection changes`,
        this,
      );
      return undefined;
    }
    const settings = connectionSettings(this.urlEnv);
    if (passwordFromEnvironment && settings.password !== undefined && !process.env.PGPASSWORD) {
      throw new ConfigurationError(
        `passwordFromEnvironment is set and PGPASSWORD is not: set it to the password of ${this.urlEnv}`,
      );
    }
    return pulumi.output(settings);
  }

  private async ask(
    settings: pulumi.Output<ConnectionSettings> | undefined,
  ): Promise<DatabaseIdentity | undefined> {
    if (settings === undefined || isMocked()) return undefined;
    const known = await valueOf(settings);
    if (known === undefined) {
      await pulumi.log.warn(
        "url is known only once the resources that it comes from are applied: this preview cannot tell what is in " +
          "the database, nor what will change there",
        this,
      );
      return undefined;
    }
    const warning = unverified(known, this.urlEnv);
    if (warning !== undefined) await pulumi.log.warn(warning, this);
    try {
      if (this.isolateMigrations) await assertMayIsolate(known);
      const found = await identify(known);
      await withConnection(known, (client) => assertProductRoles(client, this.productRoles));
      return found;
    } catch (error) {
      if (error instanceof TenantError) throw error;
      const fault = `the database of ${this.urlEnv} does not answer: ${messageOf(error)}`;
      if (!pulumi.runtime.isDryRun()) throw new DatabaseUnreachableError(fault, { cause: error });
      await pulumi.log.warn(`${fault}. This preview cannot tell whether it is the right one`, this);
      return undefined;
    }
  }
}

/** What the steps call the database's URL. */
function urlVariableOf(name: string, args: TenantDatabaseArgs): string {
  const { url, urlEnv = url === undefined ? DEFAULT_URL_VARIABLE : CONFIGURED_URL } = args;
  assertVariableName(urlEnv);
  if (url === undefined) return urlEnv;
  const beside = (["urlEnv", "passwordFromEnvironment"] as const).filter((other) => args[other]);
  if (beside.length === 0) return urlEnv;
  throw new ConfigurationError(
    `TenantDatabase ${name} has url and ${beside.join(", ")}: give url alone, or leave it out`,
  );
}

/** A program in JavaScript may leave out what the type demands. */
function migrationsDirOf(name: string, args: Partial<TenantDatabaseArgs> = {}): string {
  if (args.migrationsDir) return args.migrationsDir;
  throw new ConfigurationError(
    `TenantDatabase ${name} has no migrationsDir: write migrationsDir: "migrations", with the folder of ` +
      `your tenants' migrations; a relative one starts at the folder of Pulumi.yaml`,
  );
}

function readRoles(roles: readonly string[] = []): readonly string[] | undefined {
  const faults = roles.flatMap((role) => {
    const parsed = rules.roleName.safeParse(role);
    return (parsed.error?.issues ?? []).map(({ message }) => `${JSON.stringify(role)} ${message}`);
  });
  if (faults.length > 0) throw new ConfigurationError(`productRoles: ${faults.join("; ")}`);
  return roles.length > 0 ? [...new Set(roles)].sort() : undefined;
}

/** Where several addresses refuse a connection, Node's error has an empty message, and only a code. */
function messageOf(error: unknown): string {
  const { message, code } = error as NodeJS.ErrnoException;
  return message || String(code ?? error);
}
