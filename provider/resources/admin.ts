import * as pulumi from "@pulumi/pulumi";
import type { PoolClient } from "pg";
import { z } from "zod";
import { TenantGoneError } from "../contract/errors";
import { inTransaction, rowsIfAny, withConnection } from "../database/pool";
import { removeUserUnlessNeeded } from "../database/users";
import { rules } from "../contract/rules";
import { checkInputs, diffInputs, DynamicResource, isUnknown, type RawInputs } from "./dynamic";
import { changedFields, tellKept } from "./kept-fields";
import type { DatabaseArgs } from "./one-database";
import { seal, sealedPassword } from "./sealed-password";

/** The inputs of step 2. */
export interface AdminUserArgs extends DatabaseArgs {
  /** Environment variable with the database's URL. */
  urlEnv: pulumi.Input<string>;
  tenantId: pulumi.Input<string>;
  email: pulumi.Input<string>;
  /**
   * The first password, or its argon2id PHC string. A user who is there already keeps theirs. Undefined for a
   * user without one.
   */
  password: pulumi.Input<string> | undefined;
  firstName: pulumi.Input<string>;
  lastName: pulumi.Input<string>;
  /** Names the resource among those of all stacks. The hash's salt is made from it and the e-mail. */
  account: pulumi.Input<string>;
  /** Whether deleting the resource deletes a user whom it made and who belongs to no other tenant. */
  forceDestroy: pulumi.Input<boolean>;
}

/**
 * Step 2, admin: a row in `public.users`, or the existing one with that e-mail, in any case of letters. The
 * resource's id is the user's.
 */
export class AdminUser extends DynamicResource {
  /** What is wrong with the admin, in a preview: see `failingWhenApplied`. */
  declare readonly faults: pulumi.Output<unknown>;

  constructor(name: string, args: AdminUserArgs, opts?: pulumi.CustomResourceOptions) {
    const { account, ...inputs } = args;
    const password =
      args.password &&
      pulumi
        .all([pulumi.secret(args.password), account, args.email])
        // A bad password is not refused here: check reports it along with all other faults.
        .apply(([plain, name, email]) => seal(plain, `${name} ${email}`.toLowerCase()));
    super("AdminUser", "adminUser", name, { ...inputs, password, faults: undefined }, opts);
  }
}

const shape = {
  urlEnv: rules.environmentVariable,
  tenantId: rules.id,
  email: rules.email,
  password: sealedPassword.optional(),
  firstName: rules.personName,
  lastName: rules.personName,
  forceDestroy: z.boolean(),
};

type Inputs = z.infer<z.ZodObject<typeof shape>>;

/** The life cycle of {@link AdminUser}. */
export const adminUser = {
  check(olds: RawInputs, news: RawInputs) {
    const { inputs, failures } = checkInputs(shape, news);
    if (olds.tenantId === inputs.tenantId && !isSameEmail(olds.email, inputs.email)) {
      failures.push({
        property: "email",
        reason:
          `cannot change from ${String(olds.email)}: the account is the person's own. Change the ` +
          `address in the product, or make another person admin there`,
      });
    }
    return { inputs, failures };
  },

  /** Shows also a change that the person's own values keep from being made, and says then that it is none. */
  diff(id: string, olds: Inputs, news: Inputs) {
    // A program that no longer gives a password changes nothing: whoever has it keeps it.
    const known = news.password === undefined ? { ...olds, password: undefined } : olds;
    const diff = diffInputs(shape, known, news, { replaces: ["tenantId"] });
    const changed = changedFields(known, news);
    if (changed.length === 0 || diff.replaces.length > 0) return diff;
    return tellKept(id, changed, olds, news).then(() => diff);
  },

  async create(inputs: Inputs) {
    const id = await inTransaction(inputs.urlEnv, (client) => makeOrLink(client, inputs));
    return { id, outs: { ...inputs } };
  },

  /** Looks only whether the user is there: what people change in their own account is no drift. */
  async read(id: string, props: Inputs) {
    const rows = await withConnection(props.urlEnv, (client) =>
      rowsIfAny(client, "select from public.users where id = $1", [id]),
    );
    return rows.length === 0 ? {} : { id, props };
  },

  /**
   * Changes each column that still has the value that this resource wrote; nothing of a linked user. A password
   * is never taken away.
   */
  async update(id: string, olds: Inputs, news: Inputs) {
    await withConnection(news.urlEnv, (client) =>
      client.query(
        `update public.users
        set first_name = case first_name when $3 then $4 else first_name end,
          last_name = case last_name when $5 then $6 else last_name end,
          password_hash = case when $8::text is not null and password_hash is not distinct from $7
            then $8 else password_hash end,
          updated_at = now()
        where id = $1 and made_for_tenant_id = $2`,
        [
          ...[id, news.tenantId, olds.firstName, news.firstName, olds.lastName, news.lastName],
          ...[olds.password, news.password],
        ],
      ),
    );
    return { outs: { ...olds, ...news } };
  },

  async delete(id: string, props: Inputs) {
    if (!props.forceDestroy) return;
    await inTransaction(props.urlEnv, (client) => removeUnlessNeeded(client, id, props));
  },
};

function isSameEmail(old: unknown, email: unknown): boolean {
  if (typeof old !== "string" || typeof email !== "string" || isUnknown(email)) return true;
  return old.toLowerCase() === email.toLowerCase();
}

async function makeOrLink(client: PoolClient, inputs: Inputs): Promise<string> {
  const tenant = await client.query("select from public.tenants where id = $1 for update", [
    inputs.tenantId,
  ]);
  if (tenant.rowCount === 0) {
    throw new TenantGoneError(`tenant ${inputs.tenantId} is gone: run pulumi refresh, then up`);
  }
  const made = await client.query<{ id: string }>(
    // A user who was made for this tenant and is member of none is left by an interrupted run: that one
    // is taken over, with the values that are declared now.
    `insert into public.users as u (email, password_hash, first_name, last_name, made_for_tenant_id)
    values ($1, $2, $3, $4, $5)
    on conflict (lower(email)) do update
    set password_hash = excluded.password_hash, first_name = excluded.first_name,
      last_name = excluded.last_name, updated_at = now()
    where u.made_for_tenant_id = excluded.made_for_tenant_id
      and not exists (select from public.tenant_users where user_id = u.id)
    returning id`,
    [inputs.email, inputs.password, inputs.firstName, inputs.lastName, inputs.tenantId],
  );
  const user = made.rows[0] ?? (await findByEmail(client, inputs.email));
  await client.query(
    "update public.tenants set admin_user_id = $2, updated_at = now() where id = $1",
    [inputs.tenantId, user.id],
  );
  return user.id;
}

async function findByEmail(client: PoolClient, email: string): Promise<{ id: string }> {
  const { rows } = await client.query<{ id: string }>(
    "select id from public.users where lower(email) = lower($1) for key share",
    [email],
  );
  if (rows[0] === undefined) {
    throw new TenantGoneError(`user ${email} was removed just now: run again to make them`);
  }
  return rows[0];
}

async function removeUnlessNeeded(client: PoolClient, id: string, props: Inputs): Promise<void> {
  // The user's row is locked before the tenant's, as everywhere where both are: two transactions that lock
  // the same two rows in different orders would wait for each other.
  await client.query("select from public.users where id = $1 for update", [id]);
  await client.query(
    `update public.tenants set admin_user_id = null, status = 'deleted',
      deleted_at = coalesce(deleted_at, now()), updated_at = now()
    where id = $1 and admin_user_id = $2`,
    [props.tenantId, id],
  );
  await removeUserUnlessNeeded(client, id);
}
