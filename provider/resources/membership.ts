import type * as pulumi from "@pulumi/pulumi";
import type { PoolClient } from "pg";
import { z } from "zod";
import { inTransaction, rowsIfAny, withConnection } from "../database/pool";
import { readGate, setGate, type Gate } from "../database/product-roles";
import { assertUnusedOutside } from "../database/schema";
import {
  declaredStatuses,
  setStatus,
  unpublish,
  type DeclaredStatus,
} from "../database/tenant-status";
import { rules } from "../contract/rules";
import {
  checkInputs,
  diffInputs,
  DynamicResource,
  isUnknown,
  mark,
  updatedOutputs,
  type RawInputs,
} from "./dynamic";
import type { DatabaseArgs } from "./one-database";
import { assertOwnToEnd } from "./record-owner";
import { namingConflicts } from "./slug-conflicts";

/** The inputs of step 5. */
export interface AdminMembershipArgs extends DatabaseArgs {
  /** Environment variable with the database's URL. */
  urlEnv: pulumi.Input<string>;
  tenantId: pulumi.Input<string>;
  userId: pulumi.Input<string>;
  /** What the tenant is to be. */
  status: pulumi.Input<DeclaredStatus>;
  /** Who declares the tenant, as in its record: nobody else's is ended. */
  owner?: pulumi.Input<string>;
  /** Which declaration of the tenant this is: see {@link OvertakenError}. */
  generation?: pulumi.Input<number> | undefined;
  /** The marks of the steps before: see `newMark`. */
  mark?: pulumi.Input<string>;
  /** Whether deleting the resource deletes the row. The tenant is marked `deleted`, unless it is released. */
  forceDestroy: pulumi.Input<boolean>;
  /** Whether deleting the resource changes nothing. */
  release?: pulumi.Input<boolean> | undefined;
}

/**
 * Step 5, membership: the admin's row in `public.tenant_users`; with it, in one transaction, the
 * tenant gets the status that is declared, and its schema is opened to the product or closed to it. The
 * resource's id is `{tenantId}/{userId}`.
 */
export class AdminMembership extends DynamicResource {
  /** The status that the last run or refresh found: the declared one, unless somebody changed it. */
  declare readonly status: pulumi.Output<string>;

  constructor(name: string, args: AdminMembershipArgs, opts?: pulumi.CustomResourceOptions) {
    super("Membership", "adminMembership", name, { ...args }, opts);
  }
}

const shape = {
  urlEnv: rules.environmentVariable,
  productRoles: z.array(rules.roleName).min(1).optional(),
  tenantId: rules.id,
  userId: rules.id,
  status: z.enum(declaredStatuses),
  role: z.literal("ADMIN").default("ADMIN"),
  owner: rules.owner.optional(),
  generation: z.int().positive().optional(),
  mark,
  forceDestroy: z.boolean(),
  release: z.boolean().optional(),
};

// What is given to check, because a state that was written before the role was in it has none.
type Inputs = z.input<z.ZodObject<typeof shape>> & {
  /** Absent where the product has no roles. A read may find it to be in another way: see {@link readGate}. */
  gate?: Gate;
};

/** The life cycle of {@link AdminMembership}. */
export const adminMembership = {
  /** Adds `gate`, so that a preview shows whether the product can use the tenant's schema. */
  check(_olds: RawInputs, news: RawInputs) {
    const { inputs, failures } = checkInputs(shape, news);
    if (inputs.productRoles === undefined || isUnknown(inputs.status)) return { inputs, failures };
    return { inputs: { ...inputs, gate: gateOf(inputs.status) }, failures };
  },

  diff(_id: string, olds: Inputs, news: Inputs) {
    return diffInputs({ ...shape, gate: true }, withRole(olds), news, {
      replaces: ["tenantId", "userId"],
      // A state from before it was kept gets it with the next change.
      ignores: olds.owner === undefined ? ["owner"] : [],
    });
  },

  async create(inputs: Inputs) {
    await linkAndPublish(inputs);
    return { id: `${inputs.tenantId}/${inputs.userId}`, outs: { ...inputs } };
  },

  async read(id: string, props: Inputs) {
    return withConnection(props.urlEnv, async (client) => {
      const rows = await rowsIfAny<{ status: string; role: string }>(
        client,
        `select t.status, m.role
        from public.tenant_users m
        join public.tenants t on t.id = m.tenant_id
        where m.tenant_id = $1 and m.user_id = $2`,
        [props.tenantId, props.userId],
      );
      if (rows[0] === undefined) return {};
      const { status, role } = rows[0];
      const { productRoles, tenantId } = props;
      const gate = productRoles && (await readGate(client, `tenant_${tenantId}`, productRoles));
      const isAsTold = role === withRole(props).role;
      return {
        id,
        props: { ...props, status, ...(isAsTold ? {} : { role }), ...(gate && { gate }) },
      };
    });
  },

  async update(_id: string, olds: Inputs, news: Inputs) {
    const without = (olds.productRoles ?? []).filter((role) => !news.productRoles?.includes(role));
    await linkAndPublish(news, without);
    return { outs: updatedOutputs({ ...shape, gate: true }, olds, news) };
  },

  /**
   * Also without `forceDestroy` it is the first step of a tenant's deletion, and takes it out of service. Where it
   * refuses, because the tenant is somebody else's by now, the engine does not come to the steps that drop data.
   */
  async delete(_id: string, props: Inputs) {
    if (props.release === true) return;
    await inTransaction(props.urlEnv, async (client) => {
      await assertOwnToEnd(client, props.tenantId, props.owner);
      await unpublish(client, { ...props, status: "deleted" });
      if (props.forceDestroy) await unlink(client, props);
    });
  },
};

/** Adds the role that a state means which says none. */
function withRole(state: Inputs): Inputs {
  return { role: "ADMIN", ...state };
}

function gateOf(status: unknown): Gate {
  return status === "active" ? "open" : "closed";
}

/** @param without Roles of the product that it has no more. */
async function linkAndPublish(
  { urlEnv, tenantId, userId, ...wanted }: Inputs,
  without: readonly string[] = [],
): Promise<void> {
  await namingConflicts(urlEnv, { tenantId }, async (client) => {
    await setStatus(client, { ...wanted, tenantId }, userId);
    await client.query(
      `insert into public.tenant_users (tenant_id, user_id, role) values ($1, $2, 'ADMIN')
      on conflict (tenant_id, user_id) do update set role = excluded.role`,
      [tenantId, userId],
    );
    const { status, productRoles = [] } = wanted;
    if (productRoles.length + without.length === 0) return;
    await setGate(client, `tenant_${tenantId}`, gateOf(status), productRoles, without);
  });
}

/**
 * Checks what would stop a later step of a tenant's end, before anything is gone: whether the schema can be
 * dropped. The tenant is `deleted` by then, so that an end which stops half way never leaves an `active` tenant
 * without its admin: the next `up` takes the tenant back, and the next destroy goes on.
 */
async function unlink(client: PoolClient, { tenantId, userId }: Inputs): Promise<void> {
  await assertUnusedOutside(client, `tenant_${tenantId}`);
  await client.query("delete from public.tenant_users where tenant_id = $1 and user_id = $2", [
    tenantId,
    userId,
  ]);
}
