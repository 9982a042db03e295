/**
 * What the verbs do to a tenant, as docs/http-api.md says it: a model without a database or an engine, against
 * which the tests hold the service.
 */

/** A tenant as its callers know it. */
export interface Life {
  readonly status: "active" | "suspended" | "deleted" | "purged";
  /** The status that a restore brings a deleted one back to. */
  readonly restoresTo: "active" | "suspended";
  readonly name: string;
  readonly slug: string;
  /** Whether the service declares it. Nobody declares one that was released, until it is adopted. */
  readonly isDeclared: boolean;
}

/** What a request says besides its verb. */
export interface VerbBody {
  readonly name?: string;
  readonly slug?: string;
}

/** How the model answers: with the tenant after the request, or with the refusal that a caller gets. */
export type Next = Life | 409 | 404;

interface Verb {
  readonly method: "PATCH" | "POST" | "DELETE";
  /** What comes after the tenant's id in the address. */
  readonly path: string;
  readonly success: 200 | 204;
  /** What becomes of a tenant that the service declares; a slug that somebody else has is not known here. */
  readonly next: (life: Life, body: VerbBody) => Life | 409;
}

const holdsSlug = ({ status }: Life) => status === "active" || status === "suspended";

/** Every verb on a tenant that was set up: one entry for each. Only `adopt` is for one that nobody declares. */
export const verbs = {
  change: {
    ...{ method: "PATCH", path: "", success: 200 },
    next: (life, { name = life.name, slug = life.slug }) =>
      holdsSlug(life) ? { ...life, name, slug } : 409,
  },
  suspend: {
    ...{ method: "POST", path: "/suspend", success: 200 },
    next: (life) => (holdsSlug(life) ? { ...life, status: "suspended" } : 409),
  },
  resume: {
    ...{ method: "POST", path: "/resume", success: 200 },
    next: (life) => (holdsSlug(life) ? { ...life, status: "active" } : 409),
  },
  delete: {
    ...{ method: "DELETE", path: "", success: 200 },
    next: (life) =>
      life.status === "deleted"
        ? life
        : {
            ...life,
            status: "deleted",
            restoresTo: life.status === "suspended" ? "suspended" : "active",
          },
  },
  restore: {
    ...{ method: "POST", path: "/restore", success: 200 },
    next: (life, { slug = life.slug }) =>
      life.status === "deleted" ? { ...life, slug, status: life.restoresTo } : 409,
  },
  purge: {
    ...{ method: "POST", path: "/purge", success: 204 },
    next: (life, { slug }) =>
      life.status === "deleted" && slug === life.slug ? { ...life, status: "purged" } : 409,
  },
  release: {
    ...{ method: "POST", path: "/release", success: 200 },
    next: (life) => ({ ...life, isDeclared: false }),
  },
  adopt: { method: "POST", path: "", success: 200, next: () => 409 },
} as const satisfies Record<string, Verb>;

/** The name of a verb, as operations carry it. */
export type VerbName = keyof typeof verbs;

/** The names of all of them. */
export const verbNames = Object.keys(verbs) as VerbName[];

/** What becomes of a tenant by a verb, whatever else there is. */
export function nextLife(life: Life, verb: VerbName, body: VerbBody): Next {
  const { next }: Verb = verbs[verb];
  if (life.status === "purged") return 404;
  if (life.isDeclared) return next(life, body);
  return verb === "adopt" ? { ...life, isDeclared: true } : 409;
}

/** The slug that a tenant would hold after a verb, and does not hold before it: somebody else may have it. */
export function slugTaken(life: Life, next: Next): string | undefined {
  if (typeof next === "number" || !holdsSlug(next)) return undefined;
  return holdsSlug(life) && life.slug === next.slug ? undefined : next.slug;
}

/** The request of a verb. */
export function verbRequest(tenantId: string, verb: VerbName, body: VerbBody) {
  const { method, path }: Verb = verbs[verb];
  if (verb === "adopt") return { method, path: "/api/tenant/adopt", body: { id: tenantId } };
  const needsBody = Object.keys(body).length > 0;
  return { method, path: `/api/tenant/${tenantId}${path}`, body: needsBody ? body : undefined };
}

/** A tenant that was set up just now. */
export function newLife(name: string, slug: string): Life {
  return { status: "active", restoresTo: "active", name, slug, isDeclared: true };
}

/** Whether callers can tell one from the other. */
export function looksSame(
  one: Life,
  other: { readonly status: string; readonly name: string; readonly slug: string },
): boolean {
  return one.status === other.status && one.name === other.name && one.slug === other.slug;
}
