/** What of a tenant is compared with what is wanted, in the order in which it is told. */
export const facetNames = [
  ...["row", "status", "admin", "membership"],
  ...["schema", "digests", "gate", "fingerprint"],
] as const;

/** One of {@link facetNames}. */
export type FacetName = (typeof facetNames)[number];

/** The `repair` of a facet that an engine run of its tenant brings to what is wanted. */
export const ENGINE = "engine";

/** A facet in which a tenant differs from what is wanted. */
export interface Facet {
  readonly facet: FacetName;
  readonly expected: string;
  readonly found: string;
  /** {@link ENGINE}, or a sentence that says why no run repairs it, and what to do. */
  readonly repair: string;
}

/** A tenant as it is wanted. */
export interface WantedFacets {
  readonly id: string;
  /** Undefined where its declaration is not known here: only what follows from its row is compared then. */
  readonly declared:
    | {
        readonly name: string;
        readonly slug: string;
        readonly owner: string;
        readonly status: "active" | "suspended" | "deleted";
        readonly adminEmail: string;
      }
    | undefined;
  /** {@link ENGINE}, or who repairs it instead, as a sentence. */
  readonly repair: string;
}

/** What is wanted of all tenants alike. */
export interface WantedOfAll {
  /** The roles to which a schema is open while its tenant is active; none: nobody cares for the gate. */
  readonly productRoles: readonly string[];
  /** Whether each schema belongs to a role of its own. */
  readonly isolate: boolean;
  /** The migrations that every tenant gets: file → digest. */
  readonly files: Readonly<Record<string, string>>;
}
