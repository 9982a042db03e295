import { migrationVersion } from "../migrations";
import { gateFound, type Gate } from "../product-roles";
import { ENGINE, type Facet, type FacetName, type WantedFacets, type WantedOfAll } from "./facet";
import type { FoundFacets } from "./found";

/** A tenant's facets but for its fingerprint, which is read apart. */
export interface Compared {
  /** Those that differ. */
  readonly facets: readonly Facet[];
  /** Whether its tables can be compared with those that the migrations on record make. */
  readonly isComparable: boolean;
}

/** Compares a tenant with what is wanted of it. */
export function compare(wanted: WantedFacets, found: FoundFacets, ofAll: WantedOfAll): Compared {
  const facets: Facet[] = [];
  const note = (facet: FacetName, expected: string, is: string, repair = ENGINE) => {
    if (expected !== is) facets.push({ facet, expected, found: is, repair });
  };
  compareRow(wanted, found, note);
  // Who owns the schema of a tenant that a stack declares is for the stack to say.
  const isolate = wanted.declared === undefined ? undefined : ofAll.isolate;
  const schema = schemaFault(found, isolate);
  if (schema !== undefined) note("schema", schema.expected, schema.found, schema.repair);
  const digests = digestFault(wanted, found, ofAll.files);
  if (digests !== undefined) note("digests", digests.expected, digests.found, digests.repair);
  compareGate(wanted, found, ofAll.productRoles, note);
  return {
    facets: repairedInTurn(facets, wanted.repair),
    isComparable: isReadable(found.schema) && isPartOf(found.digests, ofAll.files),
  };
}

type Note = (facet: FacetName, expected: string, found: string, repair?: string) => void;

function compareRow({ declared }: WantedFacets, found: FoundFacets, note: Note): void {
  if (declared === undefined) return;
  const { row, declaredAdminId } = found;
  const { name, slug, owner, status } = declared;
  if (row === null) {
    // All else that is wanted of the row, and what refers to it, comes back with it.
    note("row", `name ${name}, slug ${slug}`, "none");
    return;
  }
  const differing = (["name", "slug", "owner"] as const).filter(
    (field) => row[field] !== declared[field],
  );
  const told = (values: Readonly<Record<string, string | null>>) =>
    differing.map((field) => `${field} ${values[field] ?? "nobody"}`).join(", ");
  note("row", told({ name, slug, owner }), told({ ...row }));
  note("status", status, row.status);
  // An address that nobody has any more was changed by whose account it is, which is no drift.
  const admin = declaredAdminId ?? row.adminId ?? undefined;
  note(
    "admin",
    admin === undefined ? "the declared admin" : `user ${admin}`,
    row.adminId ? `user ${row.adminId}` : "none",
  );
  note("membership", "ADMIN", found.memberRole ?? "none");
}

interface Fault {
  readonly expected: string;
  readonly found: string;
  readonly repair: string;
}

function schemaFault(
  { id, schema, digests }: FoundFacets,
  isolate: boolean | undefined,
): Fault | undefined {
  const name = `tenant_${id}`;
  const files = Object.keys(digests).length;
  const was = `schema ${name} with what ${files} migrations made`;
  if (files > 0 && schema?.isMigrated !== true) {
    const found = schema === null ? "no schema" : "a schema without its tables";
    return {
      expected: was,
      found,
      repair: "data that is gone is not made anew: restore it from a backup",
    };
  }
  if (schema === null) return { expected: `schema ${name}`, found: "no schema", repair: ENGINE };
  const owner = `it belongs to ${schema.owner}`;
  if (!schema.isOurs) {
    const repair =
      `what belongs to another role cannot be taken from it: have ${schema.owner} or a superuser ` +
      `run alter schema "${name}" owner to the service's role`;
    return { expected: "it belongs to the service's role", found: owner, repair };
  }
  if (isolate === undefined || schema.isIsolated === isolate) return undefined;
  const expected = isolate ? "it belongs to a role of its own" : "it belongs to the service's role";
  return { expected, found: owner, repair: ENGINE };
}

function digestFault(
  { declared, repair }: WantedFacets,
  { row, schema, digests }: FoundFacets,
  files: WantedOfAll["files"],
): Fault | undefined {
  const applied = Object.keys(digests);
  // A stack may have a migrations' folder of its own, with which it cannot be compared.
  if (declared === undefined && !applied.some((file) => files[file] === digests[file]))
    return undefined;
  if (schema === null) return undefined;
  const expected = versionOf(files);
  const edited = applied.filter((file) => file in files && files[file] !== digests[file]);
  if (edited.length > 0) {
    const names = edited.join(", ");
    const cure = `restore ${names} as it was applied, and write a new migration instead`;
    return { expected, found: `${names} was another file when it was applied`, repair: cure };
  }
  const unknown = applied.filter((file) => !(file in files));
  if (unknown.length > 0) {
    const cure = "bring the migrations' folder up to date, or restore what was taken out of it";
    return { expected, found: `has ${unknown.join(", ")} too`, repair: cure };
  }
  // A deleted tenant gets them when it is restored.
  if ((declared ?? row)?.status === "deleted") return undefined;
  const pending = Object.keys(files).filter((file) => !(file in digests));
  return pending.length === 0
    ? undefined
    : { expected, found: `${pending.join(", ")} not on record as applied`, repair };
}

function versionOf(files: WantedOfAll["files"]): string {
  const names = Object.keys(files);
  return `${names.length} files up to ${names.map(migrationVersion).sort().at(-1) ?? "none"}`;
}

function compareGate(
  { declared }: WantedFacets,
  { row, schema }: FoundFacets,
  roles: readonly string[],
  note: Note,
): void {
  const status = declared?.status ?? row?.status;
  if (roles.length === 0 || schema === null || status === undefined) return;
  const expected: Gate = status === "active" ? "open" : "closed";
  note("gate", expected, gateFound(new Map(Object.entries(schema.holders)), roles));
}

/** Before what only a person can repair, an engine run stops, and so it comes to nothing else. */
function repairedInTurn(facets: readonly Facet[], repair: string): Facet[] {
  const stop = facets.find((facet) => stops.includes(facet.facet) && facet.repair !== ENGINE);
  return facets.map((facet) => {
    if (facet.repair !== ENGINE) return facet;
    if (repair !== ENGINE) return { ...facet, repair };
    return stop ? { ...facet, repair: `not before ${stop.facet} is repaired` } : facet;
  });
}

const stops: readonly FacetName[] = ["schema", "digests"];

function isReadable(schema: FoundFacets["schema"]): boolean {
  return schema?.isMigrated === true && !schema.isChanging;
}

function isPartOf(digests: FoundFacets["digests"], files: WantedOfAll["files"]): boolean {
  const applied = Object.entries(digests);
  return applied.length > 0 && applied.every(([file, digest]) => files[file] === digest);
}
