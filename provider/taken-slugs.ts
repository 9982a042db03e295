import * as pulumi from "@pulumi/pulumi";
import { rowsIfAny, withConnection } from "./database/pool";
import type { DatabaseIdentity } from "./database/identity";
import type { ConnectionSettings, DatabaseAddress } from "./database/settings";
import { tellAdoptions, type Adoption } from "./adoptions";
import { report, type DeclaredTenant } from "./declared-tenants";
import { rules } from "./contract/rules";
import { atEndOfProgram, isKnownId } from "./left-out";
import { valueOf } from "./outputs";
import { takenMessage, type Holder } from "./resources/slug-conflicts";

/** A database as far as it is asked who has a slug. */
interface Database {
  readonly settings: pulumi.Output<ConnectionSettings> | undefined;
  /** Undefined where a preview could not ask, or was not to ask, which database it is. */
  readonly found: pulumi.Output<DatabaseIdentity | undefined>;
  readonly migrationsDir: string;
}

/** A tenant as the program declares it, with what its first step knows of it. */
interface Candidate extends DeclaredTenant {
  readonly database: Database;
  /** Of step 1. A preview knows the id of a tenant that the state has, and no other. */
  readonly record: { readonly id: pulumi.Output<string>; readonly slug: pulumi.Output<string> };
  readonly owner: Promise<string>;
  readonly faults: Promise<unknown>;
}

/** A tenant whose values are known. */
interface Known {
  readonly candidate: Candidate;
  readonly slug: unknown;
  /** The id that its program gives it, as PostgreSQL writes it. */
  readonly id: string | undefined;
  /** The id that it has in the state. */
  readonly idInState: unknown;
  readonly owner: string;
  /** Whether it is declared as deleted, so that it needs no slug. */
  readonly isDeleted: boolean;
  /** Whether it takes over a tenant that has no owner. */
  readonly adopt: boolean;
}

/** A holder, with its status. */
interface Row extends Holder {
  readonly status: string;
}

/** By database: the tenants that were declared so far. */
const candidates = new WeakMap<Database, Candidate[]>();

/**
 * In a preview, reports each tenant whose slug or id another one has in the database. One query for all
 * tenants of a database, once the program has declared them. A database that a preview cannot ask is warned of
 * elsewhere, and the `up` asks it in any case.
 */
export function refuseTaken(candidate: Candidate): void {
  if (!pulumi.runtime.isDryRun()) return;
  const { database } = candidate;
  const known = candidates.get(database);
  if (known !== undefined) {
    known.push(candidate);
    return;
  }
  const all = [candidate];
  candidates.set(database, all);
  atEndOfProgram(() => reportTaken(database, all));
}

async function reportTaken(database: Database, all: readonly Candidate[]): Promise<void> {
  if ((await valueOf(database.found)) === undefined || database.settings === undefined) return;
  const tenants = (await Promise.all(all.map(lookUp))).flatMap((known) => known ?? []);
  let found: Row[];
  try {
    found = await holdersOf(await valueOf(database.settings), tenants);
  } catch (error) {
    await pulumi.log.warn(`this preview cannot tell which slugs are taken: ${String(error)}`);
    return;
  }
  const free: Known[] = [];
  for (const tenant of tenants) {
    const other = found.find((holder) => isTakenBy(holder, tenant) && !givesUp(holder, tenants));
    if (other === undefined) {
      free.push(tenant);
      continue;
    }
    const field = other.slug === tenant.slug ? "slug" : "id";
    const wanted = {
      tenantId: tenant.id,
      owner: tenant.owner,
      adopt: tenant.adopt,
    };
    report(tenant.candidate, [`${field}: ${takenMessage(other, wanted)}`]);
  }
  await tellAdoptions(
    await valueOf(database.settings),
    // A tenant that is refused adopts nothing.
    free.flatMap((tenant) => adoptionOf(tenant, found) ?? []),
  );
}

/** @returns undefined where the tenant adopts nothing: it is in the state, or somebody's, or an interrupted run's. */
function adoptionOf(tenant: Known, found: readonly Row[]): Adoption | undefined {
  const { candidate, adopt, id, idInState, slug } = tenant;
  if (!adopt || isKnownId(idInState)) return undefined;
  const row = found.find((holder) =>
    id === undefined ? holder.slug === slug && holder.status !== "deleted" : holder.id === id,
  );
  if (row !== undefined && row.owner !== null) return undefined;
  const { resource, name, args, database } = candidate;
  const { adminEmail } = args;
  return {
    resource,
    name,
    adminEmail,
    tenantId: row?.id ?? id,
    migrationsDir: database.migrationsDir,
  };
}

/** @returns undefined for a tenant at fault, which has been reported. */
async function lookUp(candidate: Candidate): Promise<Known | undefined> {
  if ((await candidate.faults) !== undefined) return undefined;
  const { args, record, owner } = candidate;
  const isTrue = async (arg: unknown) =>
    (await valueOf(pulumi.output(arg as pulumi.Input<boolean | undefined>))) === true;
  const [slug, id, idInState, isDeleted, adopt] = await Promise.all([
    valueOf(record.slug),
    valueOf(pulumi.output(args.id as pulumi.Input<string | undefined>)),
    valueOf(record.id),
    isTrue(args.deleted),
    isTrue(args.adopt),
  ]);
  const { data: given } = rules.id.safeParse(id);
  return { candidate, slug, id: given, idInState, owner: await owner, isDeleted, adopt };
}

async function holdersOf(address: DatabaseAddress, tenants: readonly Known[]): Promise<Row[]> {
  const slugs = tenants.flatMap(({ slug }) => (typeof slug === "string" ? slug : []));
  const ids = tenants.flatMap(({ id }) => id ?? []);
  return withConnection(address, (client) =>
    rowsIfAny<Row>(
      client,
      `select id, slug, owner, status from public.tenants
      where slug = any($1) and status <> 'deleted' or id = any($2::uuid[])`,
      [slugs, ids],
    ),
  );
}

function isTakenBy(holder: Row, tenant: Known): boolean {
  const { slug, id, idInState, owner, isDeleted, adopt } = tenant;
  const hasSlug = !isDeleted && holder.slug === slug && holder.status !== "deleted";
  if (!hasSlug && holder.id !== id) return false;
  if (isKnownId(idInState)) return holder.id !== idInState;
  // The tenant of the same owner is what an interrupted run, or a deletion that kept the data, has left.
  const isOwn = holder.owner === owner || (adopt && holder.owner === null);
  return !isOwn || (id !== undefined && holder.id !== id);
}

/** Whether the holder is a tenant of this program, which has another slug in it from now on, or none. */
function givesUp(holder: Holder, tenants: readonly Known[]): boolean {
  return tenants.some(
    ({ idInState, slug, isDeleted }) =>
      idInState === holder.id && (isDeleted || slug !== holder.slug),
  );
}
