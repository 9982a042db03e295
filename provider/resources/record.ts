import type * as pulumi from "@pulumi/pulumi";
import { z } from "zod";
import { refusal, ReplacementRefusedError } from "../contract/errors";
import { lostData, lostMessage, recreateMessage } from "../database/lost-data";
import { dropOwnerRole } from "../database/owner-role";
import { inTransaction, rowsIfAny, withConnection } from "../database/pool";
import { rules } from "../contract/rules";
import type { FaultsArgs } from "./faults";
import {
  checkInputs,
  diffInputs,
  DynamicResource,
  newMark,
  updatedOutputs,
  type RawInputs,
} from "./dynamic";
import type { DatabaseArgs } from "./one-database";
import { assertOwned, letGo } from "./record-owner";
import { assertMoved, insertOrAdopt, removeTenant, updateOrRestore } from "./record-row";
import { namingConflicts } from "./slug-conflicts";

/** The inputs of step 1. */
export interface TenantRecordArgs extends DatabaseArgs, FaultsArgs {
  /** Environment variable with the database's URL. */
  urlEnv: pulumi.Input<string>;
  /** The tenant's id; PostgreSQL makes one when there is none. Another id is another tenant. */
  tenantId?: pulumi.Input<string> | undefined;
  name: pulumi.Input<string>;
  slug: pulumi.Input<string>;
  /** Who declares it: `organization/project/stack::name`. */
  owner: pulumi.Input<string>;
  /**
   * A tenant that is to be out of service is taken out of it here, before anything else is done. Absent for one
   * that is to be active: that is the last step's to say.
   */
  status?: pulumi.Input<"suspended" | "deleted" | undefined> | undefined;
  /** Which declaration of the tenant this is: see {@link OvertakenError}. */
  generation?: pulumi.Input<number> | undefined;
  /** Whether deleting the resource deletes the row. Otherwise it is marked `deleted`. */
  forceDestroy: pulumi.Input<boolean>;
  /** Whether a schema that somebody dropped is made anew, empty. */
  recreate?: pulumi.Input<boolean> | undefined;
  /** Whether a tenant that has no owner is taken over. */
  adopt?: pulumi.Input<boolean> | undefined;
  /** Whether deleting the resource takes the row's owner away, and nothing else. */
  release?: pulumi.Input<boolean> | undefined;
}

/**
 * Step 1, record: the tenant's row in `public.tenants`, with status `provisioning`. The resource's id
 * is the tenant's.
 */
export class TenantRecord extends DynamicResource {
  declare readonly name: pulumi.Output<string>;
  declare readonly slug: pulumi.Output<string>;
  /** What is wrong with the tenant, in a preview: see `failingWhenApplied`. */
  declare readonly faults: pulumi.Output<unknown>;
  /** Changes with each create: see `newMark`. */
  declare readonly mark: pulumi.Output<string>;

  constructor(name: string, args: TenantRecordArgs, opts?: pulumi.CustomResourceOptions) {
    super("Record", "tenantRecord", name, { faults: undefined, ...args, mark: undefined }, opts);
  }
}

const shape = {
  urlEnv: rules.environmentVariable,
  productRoles: z.array(rules.roleName).min(1).optional(),
  tenantId: rules.id.optional(),
  name: rules.name,
  slug: rules.slug,
  owner: rules.owner,
  status: z.enum(["suspended", "deleted"]).optional(),
  generation: z.int().positive().optional(),
  forceDestroy: z.boolean(),
  recreate: z.boolean().optional(),
  adopt: z.boolean().optional(),
  release: z.boolean().optional(),
};

type Inputs = z.infer<z.ZodObject<typeof shape>> & {
  /** What of the tenant's data a refresh found to be gone, in words. */
  lost?: string;
  /** Whom a refresh found to be the row's owner, where that is not who declares it. */
  takenBy?: string;
};

/** The life cycle of {@link TenantRecord}. */
export const tenantRecord = {
  /** Fails where a refresh found data to be gone and `recreate` is not set, so that a preview fails too. */
  check(olds: RawInputs, news: RawInputs) {
    const { inputs, failures } = checkInputs(shape, news);
    if (typeof olds.lost === "string" && news.recreate !== true) {
      const reason = refusal("DATA_GONE", lostMessage(String(news.slug), olds.lost));
      failures.push({ property: "", reason });
    }
    return { inputs, failures };
  },

  diff(id: string, olds: Inputs, news: Inputs) {
    // A program that begins to name the tenant's id, or no longer names it, changes nothing.
    const known = { ...olds, tenantId: news.tenantId === undefined ? undefined : id };
    const diff = diffInputs(shape, known, news, {
      replaces: ["tenantId"],
      ignores: ["recreate", "adopt", "generation", "productRoles"],
    });
    const mayGo = olds.forceDestroy && news.forceDestroy;
    if (diff.replaces.length > 0 && olds.slug === news.slug && !mayGo) {
      throw new ReplacementRefusedError(
        `another id is another tenant, and ${id} keeps the slug ${olds.slug} with its data: apply ` +
          `forceDestroy: true first if that may go, or give the new tenant a slug of its own`,
      );
    }
    if (olds.lost !== undefined && news.recreate)
      console.log(recreateMessage(news.slug, olds.lost));
    // The slug is unique, so the old row has to be gone before the new one is made.
    return {
      ...diff,
      changes: diff.changes || olds.lost !== undefined || olds.takenBy !== undefined,
      deleteBeforeReplace: true,
    };
  },

  async create(inputs: Inputs) {
    const id = await namingConflicts(inputs.urlEnv, inputs, (client) =>
      insertOrAdopt(client, inputs),
    );
    return { id, outs: { ...inputs, mark: newMark() } };
  },

  /**
   * For a row that is gone, returns the resource without the row's columns. The engine then shows a change,
   * and update makes the row again with the same id. Without the resource, create would make another id.
   *
   * Another owner is told beside this one: a delete that takes the owner away must not take the other's.
   */
  async read(id: string, { lost: lostBefore, ...props }: Inputs) {
    const { rows, lost } = await withConnection(props.urlEnv, async (client) => ({
      rows: await rowsIfAny<Pick<Inputs, "name" | "slug"> & { owner: string | null }>(
        client,
        `select name, slug, owner from public.tenants
        where id = $1 and (status <> 'deleted' or $2::text = 'deleted')`,
        [id, props.status ?? null],
      ),
      lost: await lostData(client, `tenant_${id}`),
    }));
    const { owner, ...row } = rows[0] ?? { ...gone, owner: undefined };
    const isTaken = owner !== undefined && owner !== props.owner;
    const takenBy = isTaken ? (owner ?? "nobody") : undefined;
    const found = { id, props: present({ ...props, ...row, takenBy, lost }) };
    if (lost === undefined && lostBefore === undefined) return found;
    // Among the inputs, because those are all that check is given of the state.
    return { ...found, inputs: present({ ...inputsOf(props), lost }) };
  },

  async update(id: string, olds: Inputs, news: Inputs) {
    const { slug, owner } = news;
    await namingConflicts(news.urlEnv, { slug, tenantId: id }, async (client) => {
      // Another variable may name another database, in which there is nothing of the tenant yet.
      if (olds.urlEnv !== news.urlEnv) await assertMoved(client, id, news);
      await assertOwned(client, id, { slug, owner, ownerBefore: olds.owner });
      await updateOrRestore(client, id, news);
    });
    const outs = updatedOutputs(shape, olds, news);
    return { outs: present({ ...outs, lost: undefined, takenBy: undefined }) };
  },

  async delete(id: string, props: Inputs) {
    if (props.release === true) {
      await withConnection(props.urlEnv, (client) => letGo(client, id, props));
      console.log(
        `Tenant ${props.slug} (${id}) is released: it stays as it is, and adopt: true takes it over.`,
      );
      return;
    }
    if (props.forceDestroy) {
      await inTransaction(props.urlEnv, async (client) => {
        await removeTenant(client, id);
        // The schema is gone by now. Its role is not dropped before: the schema's own step names it.
        await dropOwnerRole(client, `tenant_${id}`);
      });
      return;
    }
    await withConnection(props.urlEnv, (client) =>
      client.query(
        `update public.tenants
        set status = 'deleted', deleted_at = coalesce(deleted_at, now()), updated_at = now()
        where id = $1`,
        [id],
      ),
    );
    console.log(
      `Tenant ${props.slug} is marked deleted. Its data is kept in schema tenant_${id}; ` +
        `forceDestroy: true, applied before a destroy, removes it.`,
    );
  },
};

const gone = { name: undefined, slug: undefined };

/** Those properties of the state that are inputs. */
function inputsOf(props: Inputs): RawInputs {
  const inputs: RawInputs = { ...props };
  return Object.fromEntries(
    [...Object.keys(shape), "database"].map((property) => [property, inputs[property]]),
  );
}

/** Leaves out properties that are undefined, which the engine's messages cannot hold. */
function present(props: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(props).filter(([, value]) => value !== undefined));
}
