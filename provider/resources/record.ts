import type * as pulumi from "@pulumi/pulumi";
import type { PoolClient } from "pg";
import { z } from "zod";
import { refusal, ReplacementRefusedError, TenantGoneError } from "../contract/errors";
import { emptyWords, lostData, lostWords } from "../database/lost-data";
import { inTransaction, rowsIfAny, withConnection } from "../database/pool";
import { removeUserUnlessNeeded } from "../database/users";
import { rules } from "../contract/rules";
import { checkInputs, diffInputs, DynamicResource, newMark, type RawInputs } from "./dynamic";
import type { DatabaseArgs } from "./one-database";
import { namingConflicts, slugTaken } from "./slug-conflict";

/** The inputs of step 1. */
export interface TenantRecordArgs extends DatabaseArgs {
  /** Environment variable with the database's URL. */
  urlEnv: pulumi.Input<string>;
  /** The tenant's id; PostgreSQL makes one when there is none. Another id is another tenant. */
  tenantId?: pulumi.Input<string> | undefined;
  name: pulumi.Input<string>;
  slug: pulumi.Input<string>;
  /** Who declares it: `organization/project/stack::name`. */
  owner: pulumi.Input<string>;
  /** Whether the end of the resource removes the row rather than marking it `deleted`. */
  forceDestroy: pulumi.Input<boolean>;
  /** Whether a schema that is gone with its data is made anew, empty. */
  recreate?: pulumi.Input<boolean> | undefined;
}

/**
 * Step 1, record: the tenant's row in `public.tenants`, with status `provisioning`. The resource's id
 * is the tenant's.
 */
export class TenantRecord extends DynamicResource {
  declare readonly name: pulumi.Output<string>;
  declare readonly slug: pulumi.Output<string>;
  /** Another one for each create: see `newMark`. */
  declare readonly mark: pulumi.Output<string>;

  constructor(name: string, args: TenantRecordArgs, opts?: pulumi.CustomResourceOptions) {
    super("Record", "tenantRecord", name, { ...args, mark: undefined }, opts);
  }
}

const shape = {
  urlEnv: rules.environmentVariable,
  tenantId: rules.id.optional(),
  name: rules.name,
  slug: rules.slug,
  owner: z.string().min(1).max(1000),
  forceDestroy: z.boolean(),
  recreate: z.boolean().optional(),
};

type Inputs = z.infer<z.ZodObject<typeof shape>> & {
  /** What a refresh found to be gone of the tenant's data. */
  lost?: string;
};

/** The life cycle of {@link TenantRecord}. */
export const tenantRecord = {
  /** Refuses, in a preview too, to make anew what a refresh found to be gone. */
  check(olds: RawInputs, news: RawInputs) {
    const { inputs, failures } = checkInputs(shape, news);
    if (typeof olds.lost === "string" && news.recreate !== true) {
      const reason = refusal("DATA_GONE", lostWords(String(news.slug), olds.lost));
      failures.push({ property: "", reason });
    }
    return { inputs, failures };
  },

  diff(id: string, olds: Inputs, news: Inputs) {
    // An id that the database made stays when the program starts, or stops, to name it.
    const known = { ...olds, tenantId: news.tenantId === undefined ? undefined : id };
    const diff = diffInputs(shape, known, news, {
      replaces: ["tenantId"],
      ignores: ["recreate"],
    });
    const mayGo = olds.forceDestroy && news.forceDestroy;
    if (diff.replaces.length > 0 && olds.slug === news.slug && !mayGo) {
      throw new ReplacementRefusedError(
        `another id is another tenant, and ${id} keeps the slug ${olds.slug} with its data: apply ` +
          `forceDestroy: true first if that may go, or give the new tenant a slug of its own`,
      );
    }
    if (olds.lost !== undefined && news.recreate) console.log(emptyWords(news.slug, olds.lost));
    // The slug is unique: the old row must let go of it first.
    return {
      ...diff,
      changes: diff.changes || olds.lost !== undefined,
      deleteBeforeReplace: true,
    };
  },

  async create(inputs: Inputs) {
    const id = await withConnection(inputs.urlEnv, (client) => insertOrAdopt(client, inputs));
    return { id, outs: { ...inputs, mark: newMark() } };
  },

  /** A row that is gone is told by leaving its columns out, so that the repair gives it the same id. */
  async read(id: string, { lost: lostBefore, ...props }: Inputs) {
    const { rows, lost } = await withConnection(props.urlEnv, async (client) => ({
      rows: await rowsIfAny<Pick<Inputs, "name" | "slug" | "owner">>(
        client,
        "select name, slug, owner from public.tenants where id = $1 and status <> 'deleted'",
        [id],
      ),
      lost: await lostData(client, `tenant_${id}`),
    }));
    const gone = { name: undefined, slug: undefined, owner: undefined };
    const found = { id, props: present({ ...props, ...(rows[0] ?? gone), lost }) };
    if (lost === undefined && lostBefore === undefined) return found;
    // check is given the former inputs, and no other part of the state.
    return { ...found, inputs: present({ ...inputsOf(props), lost }) };
  },

  async update(id: string, olds: Inputs, news: Inputs) {
    if (olds.urlEnv !== news.urlEnv) await assertMoved(id, news);
    await withConnection(news.urlEnv, (client) =>
      namingConflicts(client, news, () =>
        client.query(
          `insert into public.tenants as t (id, name, slug, owner)
          values ($1, $2, $3, $4)
          on conflict (id) do update
          set name = excluded.name, slug = excluded.slug, owner = excluded.owner,
            status = case t.status when 'deleted' then 'provisioning' else t.status end,
            updated_at = now()`,
          [id, news.name, news.slug, news.owner],
        ),
      ),
    );
    return { outs: present({ ...olds, ...news, lost: undefined }) };
  },

  async delete(id: string, props: Inputs) {
    if (props.forceDestroy) {
      await inTransaction(props.urlEnv, (client) => removeTenant(client, id));
      return;
    }
    await withConnection(props.urlEnv, (client) =>
      client.query(
        "update public.tenants set status = 'deleted', updated_at = now() where id = $1",
        [id],
      ),
    );
    console.log(
      `Tenant ${props.slug} is marked deleted. Its data is kept in schema tenant_${id}; ` +
        `forceDestroy: true, applied before a destroy, removes it.`,
    );
  },
};

/** The row, its memberships, and the users that set-ups made and that belong to no other tenant. */
async function removeTenant(client: PoolClient, id: string): Promise<void> {
  const members = await client.query<{ user_id: string }>(
    "delete from public.tenant_users where tenant_id = $1 returning user_id",
    [id],
  );
  await client.query("delete from public.tenants where id = $1", [id]);
  for (const { user_id } of members.rows) await removeUserUnlessNeeded(client, user_id);
}

/** Another variable may name another database, where nothing of the tenant is yet. */
async function assertMoved(id: string, { urlEnv, slug }: Inputs): Promise<void> {
  const { rowCount } = await withConnection(urlEnv, (client) =>
    client.query("select from public.tenants where id = $1", [id]),
  );
  if (rowCount === 0) {
    throw new TenantGoneError(
      `tenant ${slug} (${id}) is not in the database of ${urlEnv}: move its data there first, or ` +
        `give the tenant of that database a slug and a name of its own`,
    );
  }
}

/** Of all that the state has, what a program gives. */
function inputsOf(props: Inputs): RawInputs {
  const inputs: RawInputs = { ...props };
  return Object.fromEntries(
    [...Object.keys(shape), "database"].map((property) => [property, inputs[property]]),
  );
}

/** What the engine's messages can hold: no property whose value is undefined. */
function present(props: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(props).filter(([, value]) => value !== undefined));
}

/** Makes the row, or goes on with the one that an interrupted run of the same owner left. */
async function insertOrAdopt(client: PoolClient, inputs: Inputs): Promise<string> {
  const values = [inputs.tenantId ?? null, inputs.name, inputs.slug, inputs.owner];
  // A run may have died after it changed the slug: then the row is there, under the old one.
  const own = await namingConflicts(client, inputs, () =>
    client.query<{ id: string }>(
      `update public.tenants set name = $2, slug = $3,
        status = case status when 'deleted' then 'provisioning' else status end, updated_at = now()
      where id = $1 and owner = $4 returning id`,
      values,
    ),
  );
  if (own.rows[0] !== undefined) return own.rows[0].id;
  const { rows } = await namingConflicts(client, inputs, () =>
    client.query<{ id: string }>(
      `insert into public.tenants as t (id, name, slug, owner)
      values (coalesce($1, gen_random_uuid()), $2, $3, $4)
      on conflict (slug) do update
      set name = excluded.name,
        status = case t.status when 'deleted' then 'provisioning' else t.status end,
        updated_at = now()
      where t.owner = excluded.owner and ($1::uuid is null or t.id = $1)
      returning id`,
      values,
    ),
  );
  if (rows[0] === undefined) throw await slugTaken(client, inputs);
  return rows[0].id;
}
