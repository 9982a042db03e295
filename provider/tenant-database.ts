import * as postgresql from "@pulumi/postgresql";
import * as pulumi from "@pulumi/pulumi";
import { ConfigurationError, DatabaseUnreachableError, TenantError } from "./contract/errors";
import { assertMayIsolate } from "./database/owner-role";
import { identify, type DatabaseIdentity } from "./database/identity";
import { assertVariableName, connectionSettings, DEFAULT_URL_VARIABLE } from "./database/settings";
import { warnOfLeftOut } from "./left-out";
import { DynamicProvider } from "./resources/dynamic";
import { PublicMigrations } from "./resources/migrations";
import type { DatabaseArgs } from "./resources/one-database";

/** The arguments of {@link TenantDatabase}. */
export interface TenantDatabaseArgs {
  /**
   * The environment variable that holds the database's URL, wherever the engine runs. The state
   * holds this name, never the URL. Default: `DATABASE_URL`.
   */
  urlEnv?: string;
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
 * const database = new TenantDatabase("database");
 * new Tenant("acme", { …, database });
 */
export class TenantDatabase extends pulumi.ComponentResource {
  /** The name of the environment variable with the URL. */
  readonly urlEnv: string;
  /** Whether each tenant's schema has an owner of its own. */
  readonly isolateMigrations: boolean;
  /** The provider for resources of @pulumi/postgresql in this database. */
  readonly provider: postgresql.Provider;
  /** The provider of the steps that are dynamic resources. */
  readonly dynamicProvider: pulumi.ProviderResource;
  /** Which database was found; undefined with `askFirst: false`, or when a preview could not ask it. */
  readonly identity: pulumi.Output<DatabaseIdentity | undefined>;

  /**
   * A database that does not answer fails the program with `DATABASE_UNREACHABLE`, in a preview only with a
   * warning; a copy that nobody has declared fails it with `OTHER_DATABASE`.
   *
   * @throws {@link ConfigurationError} when the environment variable is not usable, or, in `pulumi up`, not
   * set.
   */
  constructor(
    name: string,
    args: TenantDatabaseArgs = {},
    opts: pulumi.ComponentResourceOptions = {},
  ) {
    super("pulumi-tenant:index:TenantDatabase", name, {}, opts);
    this.urlEnv = args.urlEnv ?? DEFAULT_URL_VARIABLE;
    assertVariableName(this.urlEnv);
    this.isolateMigrations = args.isolateMigrations ?? false;
    const providerArgs = this.providerArgs(args);
    this.dynamicProvider = new DynamicProvider(name, { parent: this });
    warnOfLeftOut(this.dynamicProvider);
    const found = pulumi.output((args.askFirst ?? true) ? this.ask() : undefined);
    const migrations = (args.publicMigrations ?? true) ? this.migrations(name, found) : undefined;
    // A new database has no identity until its control tables are made: it is a row in one of them.
    this.identity = found.apply((known) =>
      known?.id === undefined && migrations !== undefined ? migrations.database : found,
    );
    this.provider = new postgresql.Provider(name, providerArgs, {
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

  private async ask(): Promise<DatabaseIdentity | undefined> {
    const isPreview = pulumi.runtime.isDryRun();
    if (isPreview && !process.env[this.urlEnv]) return undefined;
    try {
      if (this.isolateMigrations) await assertMayIsolate(this.urlEnv);
      return await identify(this.urlEnv);
    } catch (error) {
      if (error instanceof TenantError) throw error;
      const fault = `the database of ${this.urlEnv} does not answer: ${messageOf(error)}`;
      if (!isPreview) throw new DatabaseUnreachableError(fault, { cause: error });
      await pulumi.log.warn(`${fault}. This preview cannot tell whether it is the right one`, this);
      return undefined;
    }
  }

  private providerArgs(args: TenantDatabaseArgs): postgresql.ProviderArgs {
    if (pulumi.runtime.isDryRun() && !process.env[this.urlEnv]) {
      void pulumi.log.warn(
        `${this.urlEnv} is not set: this preview cannot tell whether the connection changes`,
        this,
      );
      return {};
    }
    const { host, port, database, user, password, sslmode, sslrootcert } = connectionSettings(
      this.urlEnv,
    );
    if (args.passwordFromEnvironment && password !== undefined && !process.env.PGPASSWORD) {
      throw new ConfigurationError(
        `passwordFromEnvironment is set and PGPASSWORD is not: set it to the password of ${this.urlEnv}`,
      );
    }
    return {
      host,
      port,
      database,
      username: user,
      ...(password === undefined || args.passwordFromEnvironment
        ? {}
        : { password: pulumi.secret(password) }),
      sslmode,
      ...(sslrootcert === undefined ? {} : { sslrootcert }),
      connectTimeout: 15,
      // Given, so that the plugin does not ask the server for them at each start. The role needs no
      // superuser's rights, and the plugin is to use none.
      superuser: false,
      expectedVersion: "15.0.0",
    };
  }
}

/** Where several addresses refuse a connection, Node's error has an empty message, and only a code. */
function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.message || String((error as NodeJS.ErrnoException).code);
}
