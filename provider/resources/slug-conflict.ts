import type { PoolClient } from "pg";
import { SlugTakenError } from "../contract/errors";
import { isDatabaseError } from "../database/pool";

/** The names that a tenant wants, of which each is one tenant's alone. */
export interface WantedNames {
  readonly slug: string;
  readonly tenantId?: string | undefined;
}

/**
 * Turns the refusal of a slug, or of an id, that another tenant has into words.
 *
 * @throws SlugTakenError; what `statement` throws besides.
 */
export async function namingConflicts<T>(
  client: PoolClient,
  wanted: WantedNames,
  statement: () => Promise<T>,
): Promise<T> {
  try {
    return await statement();
  } catch (error) {
    if (!isDatabaseError(error, "23505")) throw error; // unique_violation
    throw await slugTaken(client, wanted);
  }
}

/** Who has the slug, or the id, and what to do about it. */
export async function slugTaken(client: PoolClient, wanted: WantedNames): Promise<SlugTakenError> {
  const { rows } = await client.query<{ id: string; slug: string; owner: string; status: string }>(
    "select id, slug, owner, status from public.tenants where slug = $1 or id = $2",
    [wanted.slug, wanted.tenantId ?? null],
  );
  const [holder] = rows;
  if (holder === undefined) return new SlugTakenError(`slug ${wanted.slug} was taken just now`);
  const { id, slug, owner, status } = holder;
  const advice =
    status === "deleted"
      ? `it is marked deleted and keeps its slug with its data. To free it, declare it there again ` +
        `with forceDestroy: true, apply, and leave it out`
      : `choose another slug, or leave it out there first. If it is the same tenant under another ` +
        `name or parent, give it the old one in the option aliases`;
  return new SlugTakenError(
    `slug ${wanted.slug} is taken, by tenant ${slug} (id ${id}) of ${owner}: ${advice}`,
  );
}
