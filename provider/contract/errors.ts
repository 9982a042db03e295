/**
 * The library's errors: each has a class, and a code to switch on. The message says what happened and
 * what to do, and holds no secret.
 */

/** Every code that an error of the library can have, in the order of the classes below. */
export const tenantErrorCodes = [
  "CONFIGURATION",
  "SLUG_TAKEN",
  "REPLACEMENT_REFUSED",
  "TENANT_GONE",
  "MIGRATIONS_UNREADABLE",
  "MIGRATION_FAILED",
  "SCHEMA_IN_USE",
  "DATABASE_UNREACHABLE",
  "OTHER_DATABASE",
  "DATA_GONE",
  "OVERTAKEN",
  "ARCHIVE_REFUSED",
  "OWNER_CHANGED",
] as const;

/** One of {@link tenantErrorCodes}. */
export type TenantErrorCode = (typeof tenantErrorCodes)[number];

/**
 * What all errors of the library have in common.
 *
 * @example
 * if (error instanceof TenantError && error.code === "SLUG_TAKEN") …
 */
export abstract class TenantError extends Error {
  /** Which error it is. A code keeps its meaning from version to version; a message may be reworded. */
  abstract readonly code: TenantErrorCode;

  /** @param options `cause`: the error that led to this one. */
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
    // No frames: the message is all that a reader needs. Pulumi prints the whole stack of what a program
    // or a diff throws, and Node 20.20 takes half a minute to format one with the SDK's source maps.
    // https://github.com/nodejs/node/issues/64011
    this.stack = `${this.name}: ${message}`;
  }
}

/**
 * An environment variable, an argument of a tenant or the stack's configuration is missing, or holds a value
 * that cannot be used; or a tenant was given an option that would have no effect.
 * The message names each of them; set or correct them, then run again. Nothing was changed.
 */
export class ConfigurationError extends TenantError {
  readonly code = "CONFIGURATION";
}

/**
 * The slug, or the id, belongs to another tenant, which the message names with its owner. Choose another
 * one, or end that tenant first.
 */
export class SlugTakenError extends TenantError {
  readonly code = "SLUG_TAKEN";
}

/**
 * A program gave a tenant another id, and the old tenant would stay behind with its data and its slug.
 * Apply `forceDestroy: true` first if that data may go, or give the new tenant a slug of its own.
 */
export class ReplacementRefusedError extends TenantError {
  readonly code = "REPLACEMENT_REFUSED";
}

/**
 * The tenant's row, or its admin's, is not in the database any more, or not in the one that is named.
 * Run `pulumi refresh` and then `pulumi up`, which makes the row again; or name the right database.
 */
export class TenantGoneError extends TenantError {
  readonly code = "TENANT_GONE";
}

/**
 * The folder with the migrations cannot be read, has no `.sql` file, or has one that dbmate would pass
 * over. Correct the folder or the file that the message names.
 */
export class MigrationsUnreadableError extends TenantError {
  readonly code = "MIGRATIONS_UNREADABLE";
}

/**
 * A migration failed, was edited after it was applied, or is not in the folder any more. Correct the file that
 * the message names, or upgrade where it says that the package is older than what is applied, and run again:
 * the migrations before it stay applied.
 */
export class MigrationFailedError extends TenantError {
  readonly code = "MIGRATION_FAILED";

  /** PostgreSQL's SQLSTATE, such as `55P03` for a lock that was not had in time; undefined for other failures. */
  readonly sqlstate: string | undefined;

  /** @param options `cause`, and the SQLSTATE of a statement that PostgreSQL refused. */
  constructor(message: string, options?: ErrorOptions & { sqlstate?: string | undefined }) {
    super(message, options);
    this.sqlstate = options?.sqlstate;
  }
}

/**
 * An object outside of a tenant's schema, such as a view in another one, depends on an object in it.
 * Dropping the schema would drop that too, so nothing was dropped. Drop the object that the message names.
 */
export class SchemaInUseError extends TenantError {
  readonly code = "SCHEMA_IN_USE";
}

/**
 * The database does not answer, so nobody can tell whether it is the one that the state is about. `cause`
 * is the connection's error. Bring the database back and run again.
 */
export class DatabaseUnreachableError extends TenantError {
  readonly code = "DATABASE_UNREACHABLE";
}

/**
 * The database is not the one that the state is about, or is a copy that was not declared. Nothing was
 * read or changed in it. Name the right database, or say in this one what it is: the message has the SQL.
 */
export class OtherDatabaseError extends TenantError {
  readonly code = "OTHER_DATABASE";

  /** @param reason What differs, and what to do. */
  constructor(reason: string, options?: ErrorOptions) {
    super(refusal("OTHER_DATABASE", reason), options);
  }
}

/**
 * A tenant's schema, or all tables in it, were dropped, and its data with them. Restore a backup and run
 * `pulumi refresh`; or give the tenant `recreate: true`, which makes the schema anew, empty.
 */
export class DataGoneError extends TenantError {
  readonly code = "DATA_GONE";

  /** @param reason Whose data, what is gone, and what to do. */
  constructor(reason: string, options?: ErrorOptions) {
    super(refusal("DATA_GONE", reason), options);
  }
}

/**
 * A run of an older declaration came to a tenant that was brought to a newer one meanwhile, by `generation`.
 * Nothing was changed, and there is nothing to do: the newer run has done it.
 */
export class OvertakenError extends TenantError {
  readonly code = "OVERTAKEN";

  /** @param reason Which tenant, and how far it is. */
  constructor(reason: string, options?: ErrorOptions) {
    super(refusal("OVERTAKEN", reason), options);
  }
}

/**
 * A tenant's archive, which `importFrom` names, cannot be loaded: the file is damaged, cut off or of another
 * format, is of other migrations, or does not fit. The message says which. Nothing of it was loaded.
 */
export class ArchiveError extends TenantError {
  readonly code = "ARCHIVE_REFUSED";
}

/**
 * A stack is to end a tenant that somebody else has taken since, or that nobody owns any more. Nothing of the
 * tenant was changed. The message names who has it, and how the stack's state forgets it.
 */
export class OwnerChangedError extends TenantError {
  readonly code = "OWNER_CHANGED";
}

const refusals = ["OTHER_DATABASE", "DATA_GONE", "OVERTAKEN"] as const;

/**
 * Writes the code in front of the reason. The engine reports a provider's error as text only, so whoever
 * runs it can tell by the text alone which error it was: see {@link isRefusal}.
 *
 * @returns such as `DATA_GONE: of tenant acme is gone: …`.
 */
export function refusal(code: (typeof refusals)[number], reason: string): string {
  return `${code}: ${reason}`;
}

/**
 * Tells whether a text that the engine reported is an {@link OtherDatabaseError}, a {@link DataGoneError} or an
 * {@link OvertakenError}: a second try would fail in the same way.
 */
export function isRefusal(words: string): boolean {
  return refusals.some((code) => words.includes(`${code}: `));
}
