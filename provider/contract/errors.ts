/** What can go wrong in the library, as a closed set that a caller can switch on. */
export type TenantErrorCode =
  | "CONFIGURATION"
  | "SLUG_TAKEN"
  | "REPLACEMENT_REFUSED"
  | "TENANT_GONE"
  | "MIGRATIONS_UNREADABLE"
  | "MIGRATION_FAILED"
  | "SCHEMA_IN_USE"
  | "DATABASE_UNREACHABLE"
  | "OTHER_DATABASE"
  | "DATA_GONE";

/** An error a caller can act on: the message says what happened and what to do, with no secret in it. */
export abstract class TenantError extends Error {
  abstract readonly code: TenantErrorCode;

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
    // The message is all there is to say. Pulumi prints the whole stack of what a program or a diff
    // throws, and Node 20.20 takes half a minute to format one with the SDK's source maps in it.
    // https://github.com/nodejs/node/issues/64011
    this.stack = `${this.name}: ${message}`;
  }
}

/** The environment or the stack's configuration lacks something or holds something unusable. */
export class ConfigurationError extends TenantError {
  readonly code = "CONFIGURATION";
}

/** Another owner holds the slug. */
export class SlugTakenError extends TenantError {
  readonly code = "SLUG_TAKEN";
}

/** The replacement of a tenant would leave its data behind and its slug taken. */
export class ReplacementRefusedError extends TenantError {
  readonly code = "REPLACEMENT_REFUSED";
}

/** The tenant's row is not there any more. */
export class TenantGoneError extends TenantError {
  readonly code = "TENANT_GONE";
}

/** The migrations' folder cannot be read, or holds a file that dbmate would not run. */
export class MigrationsUnreadableError extends TenantError {
  readonly code = "MIGRATIONS_UNREADABLE";
}

/** A migration failed. What ran before it stays; the next run goes on with it. */
export class MigrationFailedError extends TenantError {
  readonly code = "MIGRATION_FAILED";
}

/** Something outside a tenant's schema depends on something in it, so it cannot be dropped. */
export class SchemaInUseError extends TenantError {
  readonly code = "SCHEMA_IN_USE";
}

/** The database does not answer, so nobody knows whether it is what the state says. */
export class DatabaseUnreachableError extends TenantError {
  readonly code = "DATABASE_UNREACHABLE";
}

/** The database is another one than the state is about, or a copy of it. */
export class OtherDatabaseError extends TenantError {
  readonly code = "OTHER_DATABASE";

  /** @param reason What differs, and what to do. */
  constructor(reason: string) {
    super(refusal("OTHER_DATABASE", reason));
  }
}

/** A tenant's data was there, and is not any more. */
export class DataGoneError extends TenantError {
  readonly code = "DATA_GONE";

  /** @param reason Whose data, what is gone, and what to do. */
  constructor(reason: string) {
    super(refusal("DATA_GONE", reason));
  }
}

const refusals = ["OTHER_DATABASE", "DATA_GONE"] as const;

/** The engine hands on words alone, so the code is among them: see {@link isRefusal}. */
export function refusal(code: (typeof refusals)[number], reason: string): string {
  return `${code}: ${reason}`;
}

/** Tells whether what the engine said is one of the errors that another try only meets again. */
export function isRefusal(words: string): boolean {
  return refusals.some((code) => words.includes(`${code}: `));
}
