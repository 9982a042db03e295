import * as postgresql from "@pulumi/postgresql";
import * as pulumi from "@pulumi/pulumi";
import { ConfigurationError, DatabaseUnreachableError, TenantError } from "./contract/errors";
import { identify, type DatabaseIdentity } from "./database/identity";
import { assertVariableName, connectionSettings, DEFAULT_URL_VARIABLE } from "./database/settings";
import { tellLeftOut } from "./left-out";
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
  /** `false` when something else keeps the control tables of the public schema. Default: `true`. */
  publicMigrations?: boolean;
  /**
   * `true` to keep the password out of the postgresql provider's inputs, and so out of the state. The
   * plugin then reads it from PGPASSWORD, which must be set wherever the engine runs. Default:
   * `false`: the state holds it as a secret.
   */
  passwordFromEnvironment?: boolean;
  /**
   * `false` for a program that always runs after a refresh, which asks the database at each step:
   * otherwise the program asks it, once, which one it is. Default: `true`.
   */
  askFirst?: boolean;
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
  /** The provider for resources of @pulumi/postgresql in this database. */
  readonly provider: postgresql.Provider;
  /** The provider of the steps that are dynamic resources. */
  readonly dynamicProvider: pulumi.ProviderResource;
  /** Which database was found; undefined where that is not known. */
  readonly identity: pulumi.Output<DatabaseIdentity | undefined>;

  /**
   * A database that does not answer, or is a copy of another, fails the program; but a preview goes on
   * without one that does not answer.
   *
   * @throws ConfigurationError when the environment variable is unusable, or not set in `pulumi up`.
   */
  constructor(
    name: string,
    args: TenantDatabaseArgs = {},
    opts: pulumi.ComponentResourceOptions = {},
  ) {
    super("pulumi-tenant:index:TenantDatabase", name, {}, opts);
    this.urlEnv = args.urlEnv ?? DEFAULT_URL_VARIABLE;
    assertVariableName(this.urlEnv);
    const providerArgs = this.providerArgs(args);
    this.dynamicProvider = new DynamicProvider(name, { parent: this });
    tellLeftOut(this.dynamicProvider);
    const found = pulumi.output((args.askFirst ?? true) ? this.ask() : undefined);
    const migrations = (args.publicMigrations ?? true) ? this.migrations(name, found) : undefined;
    // One that had no control tables has an identity as soon as they are made.
    this.identity = found.apply((known) =>
      known?.id === undefined && migrations !== undefined ? migrations.database : found,
    );
    this.provider = new postgresql.Provider(name, providerArgs, {
      parent: this,
      // Where they refuse the database, the state keeps the connection to the right one.
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
      return await identify(this.urlEnv);
    } catch (error) {
      if (error instanceof TenantError) throw error;
      const fault = `the database of ${this.urlEnv} does not answer: ${wordsOf(error)}`;
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
      // Without these the plugin asks the server at each start; a superuser it never is.
      superuser: false,
      expectedVersion: "15.0.0",
    };
  }
}

/** Node tells of several addresses that refuse a connection by their code alone. */
function wordsOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.message || String((error as NodeJS.ErrnoException).code);
}
