import type { z } from "zod";
import type { Permission } from "../../auth/permissions";
import type { Query } from "../../database/database";
import type { StepName } from "../../pulumi/steps";
import type { Accepted, KindName, Operation } from "../store/operation";

/** Who sends a request, by the token. */
export interface Asker {
  /** The claim `sub`; null for a token without one. All of those count as one asker. */
  readonly subject: string | null;
  readonly isSuperAdmin: boolean;
}

/** A request, who sends it, and the tenant that it is about. */
export interface Asked<Request> {
  readonly request: Request;
  readonly asker: Asker;
  /** The id in the request's address; undefined where the request makes a new tenant. */
  readonly tenantId: string | undefined;
}

/** What an acceptance gives to a verb besides the request. */
export interface Given {
  /** The argon2id hash of the request's password; undefined where the verb has none. */
  readonly passwordHash: string | undefined;
  /** How many days a tenant that is deleted is kept before it is purged by itself. */
  readonly purgeAfterDays: number;
}

/**
 * A verb, described by what distinguishes it from the others. Every verb works the same way: the service
 * changes its declaration of the tenant, and then brings the tenant's stack to that declaration.
 */
export interface Kind<Request extends object = object> {
  readonly name: KindName;
  /** What it is called in the log: `the set-up`. */
  readonly title: string;
  readonly permission: Permission;
  /** The body that callers send. */
  readonly body: z.ZodType<Request>;
  /** The steps whose progress it shows, in their order. */
  readonly steps: readonly StepName[];
  /**
   * The status code of its success: 201 answers with the new tenant, 200 with the tenant as it is now, 204
   * with nothing, as there is no tenant any more.
   */
  readonly success: 201 | 200 | 204;
  /**
   * Refuses early, before a password is hashed. The answer may be out of date by the time the operation is
   * accepted, so `want` checks the same again in its transaction. Default: nothing is refused early.
   *
   * @throws TenantConflictError, TenantBusyError, TenantUnknownError, DatabaseDownError
   */
  readonly refuse?: (query: Query, asked: Asked<Request>) => Promise<void>;
  /**
   * Hashes the request's password, before the transaction of `want` begins: it takes long, and the
   * transaction would hold its locks all the while. Default: the verb has no password.
   *
   * @returns the argon2id hash; undefined for a request without a password.
   */
  readonly hash?: (request: Request) => Promise<string | undefined>;
  /**
   * Changes what is wanted of the tenant, in the transaction that accepts the operation.
   *
   * @returns undefined where nothing is to be done.
   * @throws TenantConflictError, TenantBusyError, TenantUnknownError, DatabaseDownError
   */
  readonly want: (
    query: Query,
    asked: Asked<Request>,
    given: Given,
  ) => Promise<Accepted | undefined>;
  /**
   * Takes back what `want` changed, in the transaction in which the operation ends with a conflict. Otherwise
   * the declaration would go on asking for a slug that somebody else has.
   */
  readonly takeBack: (query: Query, operation: Operation) => Promise<void>;
  /** What else is done in the transaction in which the operation succeeds. Default: nothing. */
  readonly settle?: (query: Query, operation: Operation) => Promise<void>;
}
