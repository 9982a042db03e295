import type { z } from "zod";
import type { Permission } from "../../auth/permissions";
import type { Query } from "../../database/database";
import type { RunRequest } from "../../pulumi/engine-runs";
import type { StepName } from "../../pulumi/steps";
import type { Accepted, KindName, Operation } from "../store/operation";

/** What a caller asks, of which tenant. */
export interface Asked<Request> {
  readonly request: Request;
  /** The tenant in the address; undefined where the request makes one. */
  readonly tenantId: string | undefined;
}

/**
 * A verb: all in which it differs from the others. Whatever is asked, the service changes what it wants
 * of a tenant, and then brings the tenant's stack to that.
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
  /** What its run may delete: what it makes is protected, unless that is anything. */
  readonly mayDelete: RunRequest["mayDelete"];
  /** What its caller is answered when it has succeeded: 201 with the new tenant, 200 with the tenant as it is. */
  readonly success: 201 | 200;
  /**
   * Refuses what can be refused without work. It is asked once more by `want`, which decides.
   *
   * @throws TenantConflictError, TenantBusyError, TenantUnknownError
   */
  readonly refuse: (query: Query, asked: Asked<Request>) => Promise<void>;
  /**
   * Work that takes time, such as hashing a password, which the transaction of `want` must not wait for.
   * Default: none.
   *
   * @returns the password's hash.
   */
  readonly hash?: (request: Request) => Promise<string>;
  /**
   * Changes what is wanted of the tenant, in the transaction that accepts the operation.
   *
   * @returns undefined where nothing is to be done.
   * @throws TenantConflictError, TenantBusyError, TenantUnknownError
   */
  readonly want: (
    query: Query,
    asked: Asked<Request>,
    passwordHash: string | undefined,
  ) => Promise<Accepted | undefined>;
  /** Takes back what `want` changed, when the operation ends in a conflict: nothing of it can be had. */
  readonly takeBack: (query: Query, operation: Operation) => Promise<void>;
}
