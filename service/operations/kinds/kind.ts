import type { z } from "zod";
import type { Permission } from "../../auth/permissions";
import type { Query } from "../../database/database";
import type { RunRequest } from "../../pulumi/engine-runs";
import type { StepName } from "../../pulumi/steps";
import type { Accepted, KindName, Operation } from "../store/operation";

/** A request, and the tenant that it is about. */
export interface Asked<Request> {
  readonly request: Request;
  /** The id in the request's address; undefined where the request makes a new tenant. */
  readonly tenantId: string | undefined;
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
   * What its engine run may delete. With `nothing`, the resources are protected, and a run that deletes
   * something all the same has not succeeded.
   */
  readonly mayDelete: RunRequest["mayDelete"];
  /** The status code of its success: 201 answers with the new tenant, 200 with the tenant as it is now. */
  readonly success: 201 | 200;
  /**
   * Refuses early, before a password is hashed. The answer may be out of date by the time the operation is
   * accepted, so `want` checks the same again in its transaction.
   *
   * @throws TenantConflictError, TenantBusyError, TenantUnknownError, DatabaseDownError
   */
  readonly refuse: (query: Query, asked: Asked<Request>) => Promise<void>;
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
    passwordHash: string | undefined,
  ) => Promise<Accepted | undefined>;
  /**
   * Takes back what `want` changed, in the transaction in which the operation ends with a conflict. Otherwise
   * the declaration would go on asking for a slug that somebody else has.
   */
  readonly takeBack: (query: Query, operation: Operation) => Promise<void>;
}
