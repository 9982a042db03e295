import type * as pulumi from "@pulumi/pulumi";
import type { PoolClient } from "pg";
import { z } from "zod";
import { TenantGoneError } from "../contract/errors";
import { inTransaction, rowsIfAny, withConnection } from "../database/pool";
import { assertUnusedOutside } from "../database/schema";
import { rules } from "../contract/rules";
import { checkInputs, diffInputs, DynamicResource, mark, type RawInputs } from "./dynamic";
import type { DatabaseArgs } from "./one-database";

/** The inputs of step 5. */
export interface AdminMembershipArgs extends DatabaseArgs {
  /** Environment variable with the database's URL. */
  urlEnv: pulumi.Input<string>;
  tenantId: pulumi.Input<string>;
  userId: pulumi.Input<string>;
  /** The marks of the steps before: see `newMark`. */
  mark?: pulumi.Input<string>;
  /** Whether deleting the resource deletes the row, and marks the tenant `deleted`. */
  forceDestroy: pulumi.Input<boolean>;
}

/**
 * Step 5, membership: the admin's row in `public.tenant_users`; with it, in one transaction, the
 * tenant becomes `active`. The resource's id is `{tenantId}/{userId}`.
 */
export class AdminMembership extends DynamicResource {
  /** The status that the last run or refresh found: `active`, unless somebody changed it. */
  declare readonly status: pulumi.Output<string>;

  constructor(name: string, args: AdminMembershipArgs, opts?: pulumi.CustomResourceOptions) {
    super("Membership", "adminMembership", name, { ...args, status: "active" }, opts);
  }
}

const shape = {
  urlEnv: rules.environmentVariable,
  tenantId: rules.id,
  userId: rules.id,
  status: z.literal("active"),
  role: z.literal("ADMIN").default("ADMIN"),
  mark,
  forceDestroy: z.boolean(),
};

// What is given to check, because a state that was written before the role was in it has none.
type Inputs = z.input<z.ZodObject<typeof shape>>;

/** The life cycle of {@link AdminMembership}. */
export const adminMembership = {
  check(_olds: RawInputs, news: RawInputs) {
    return checkInputs(shape, news);
  },

  diff(_id: string, olds: Inputs, news: Inputs) {
    return diffInputs(shape, withRole(olds), news, { replaces: ["tenantId", "userId"] });
  },

  async create(inputs: Inputs) {
    await linkAndActivate(inputs);
    return { id: `${inputs.tenantId}/${inputs.userId}`, outs: { ...inputs } };
  },

  async read(id: string, props: Inputs) {
    const rows = await withConnection(props.urlEnv, (client) =>
      rowsIfAny<{ status: string; role: string }>(
        client,
        `select t.status, m.role
        from public.tenant_users m
        join public.tenants t on t.id = m.tenant_id
        where m.tenant_id = $1 and m.user_id = $2`,
        [props.tenantId, props.userId],
      ),
    );
    if (rows[0] === undefined) return {};
    const { status, role } = rows[0];
    const isAsTold = role === withRole(props).role;
    return { id, props: { ...props, status, ...(isAsTold ? {} : { role }) } };
  },

  async update(_id: string, olds: Inputs, news: Inputs) {
    await linkAndActivate(news);
    return { outs: { ...olds, ...news } };
  },

  async delete(_id: string, props: Inputs) {
    if (!props.forceDestroy) return;
    await inTransaction(props.urlEnv, (client) => unpublish(client, props));
  },
};

/** Adds the role that a state means which says none. */
function withRole(state: Inputs): Inputs {
  return { role: "ADMIN", ...state };
}

async function linkAndActivate({ urlEnv, tenantId, userId }: Inputs): Promise<void> {
  await inTransaction(urlEnv, async (client) => {
    const { rowCount } = await client.query(
      `update public.tenants set status = 'active', admin_user_id = $2, updated_at = now()
      where id = $1`,
      [tenantId, userId],
    );
    if (rowCount === 0) {
      throw new TenantGoneError(`tenant ${tenantId} is gone: run pulumi refresh, then up`);
    }
    await client.query(
      `insert into public.tenant_users (tenant_id, user_id, role) values ($1, $2, 'ADMIN')
      on conflict (tenant_id, user_id) do update set role = excluded.role`,
      [tenantId, userId],
    );
  });
}

/**
 * The first step of a tenant's deletion. It checks what would stop a later step, before anything is gone:
 * whether the schema can be dropped. And it marks the tenant `deleted`, so that a deletion which stops half
 * way never leaves an `active` tenant without its admin. After that, the next `up` takes the tenant back, and
 * the next destroy goes on.
 */
async function unpublish(client: PoolClient, { tenantId, userId }: Inputs): Promise<void> {
  await client.query(
    "update public.tenants set status = 'deleted', updated_at = now() where id = $1",
    [tenantId],
  );
  await assertUnusedOutside(client, `tenant_${tenantId}`);
  await client.query("delete from public.tenant_users where tenant_id = $1 and user_id = $2", [
    tenantId,
    userId,
  ]);
}
