/** A row of `public.operations`. */
export interface OperationFact {
  readonly id: string;
  readonly kind: string;
  /** The slug that its tenant has after it. */
  readonly slug: string;
  readonly request: Readonly<Record<string, unknown>>;
  readonly status: string;
  readonly tenantId: string;
  readonly attempts: number;
  readonly retries: number;
  /** Times are in ms since 1970; Infinity for what never was. */
  readonly createdAt: number;
  readonly startedAt: number;
  readonly appliedAt: number;
  readonly finishedAt: number;
}

/** A row of `public.tenants`, with what belongs to it. */
export interface TenantFact {
  readonly id: string;
  readonly slug: string;
  readonly name: string;
  readonly status: string;
  readonly owner: string | null;
  readonly adminId: string | null;
  /** The e-mail that was asked for; null where the service does not want the tenant. */
  readonly adminEmail: string | null;
  /** The status that the service wants; null where it does not want the tenant. */
  readonly wanted: string | null;
  /** The stack that holds its state; null where it has none. */
  readonly stack: string | null;
}

/** What is in a schema. */
export interface SchemaFact {
  readonly versions: readonly string[];
  readonly tables: readonly string[];
  /** How many files have a digest on record. */
  readonly digests: number;
  /** Who has rights on it besides its owner, such as `product USAGE`. */
  readonly rights: readonly string[];
  /** How many of its tables the product's role may read and write, once it may use the schema. */
  readonly usable: number;
}

/** What is in the state of a stack: the last word of each resource's type, and its id. */
export interface StateFact {
  readonly resources: readonly { readonly type: string; readonly id: string }[];
  readonly pending: number;
}

/** What the database and the state backend say when everything has ended. */
export interface Facts {
  readonly operations: readonly OperationFact[];
  readonly tenants: readonly TenantFact[];
  /** The ids of tenants that the service wants. */
  readonly wanted: readonly string[];
  readonly users: readonly { readonly id: string; readonly email: string }[];
  readonly memberships: readonly {
    readonly tenantId: string;
    readonly userId: string;
    readonly role: string;
  }[];
  /** Which operation a key stands for; null where it stands for a conflict. */
  readonly keys: readonly { readonly key: string; readonly operationId: string | null }[];
  /** By the schema's name, each that a tenant may have. */
  readonly schemas: ReadonlyMap<string, SchemaFact>;
  /** By the stack's name. */
  readonly states: ReadonlyMap<string, StateFact>;
  /** Schemas that have digests on record. */
  readonly digested: readonly string[];
  /** Stacks that the service knows as its own and no tenant's. */
  readonly spareStacks: readonly string[];
  /** Stacks that are still to be removed. */
  readonly doomedStacks: readonly string[];
  /** Roles of PostgreSQL that were made for tenants' schemas, without the database's oid. */
  readonly ownerRoles: readonly string[];
  /** Advisory locks that somebody holds, in words. */
  readonly advisoryLocks: readonly string[];
  /** Files of locks, relative to the backend's. */
  readonly locks: readonly string[];
  readonly jobs: number;
  /** The role as which the product would work. */
  readonly productRole: string;
  /** What every tenant's schema must have. */
  readonly expected: { readonly versions: readonly string[]; readonly tables: readonly string[] };
}
