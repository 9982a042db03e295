import type { Database } from "../../database/database";
import { TenantUnknownError } from "../../system/errors";
import { newStackName, oldestSpare, type StackRow } from "./stack-row";

/** Which tenant has which stack. */
export interface TenantStacks {
  /** The stack that declares the tenant. */
  readonly find: (tenantId: string) => Promise<StackRow | undefined>;
  /** Gives the tenant a stack that this instance has prestarted; `false` when it does not hold the stack any more. */
  readonly takePrestarted: (name: string, tenantId: string) => Promise<boolean>;
  /** Gives the tenant a spare stack, if there is one. */
  readonly takeSpare: (tenantId: string) => Promise<StackRow | undefined>;
  /**
   * Gives the tenant a new row, whose stack is still to be made in the backend.
   *
   * @throws {@link TenantUnknownError} where the service does not declare the tenant any more.
   */
  readonly takeNew: (tenantId: string) => Promise<StackRow>;
  /** Stores the settings file that the CLI wrote when it made a tenant's stack. */
  readonly keepSettings: (name: string, settings: string) => Promise<void>;
  /**
   * Gives a tenant's stack that cannot be made in the backend another name. Whatever the backend has under the
   * old name is marked to be removed.
   *
   * @returns the new name.
   */
  readonly rename: (name: string) => Promise<string>;
}

/** @param instance The id of this instance, which has prestarted some. */
export function tenantStacksOf({ query }: Database, instance: string): TenantStacks {
  return {
    async find(tenantId) {
      const [row] = await query<StackRow>(
        `select s.name, s.settings
        from public.service_tenants t join public.service_stacks s on s.name = t.stack
        where t.id = $1`,
        [tenantId],
      );
      return row;
    },
    async takePrestarted(name, tenantId) {
      const rows = await query(
        `with ${tenant("$3")}, taken as (
          update public.service_stacks set status = 'taken', instance = null
          where name = $1 and status = 'prestarted' and instance = $2
            and exists (select from tenant) returning name
        ) ${given}`,
        [name, instance, tenantId],
      );
      return rows.length > 0;
    },
    async takeSpare(tenantId) {
      const [row] = await query<StackRow>(
        `with ${tenant("$1")}, taken as (
          update public.service_stacks set status = 'taken'
          where exists (select from tenant) and ${oldestSpare}
        ) ${given}`,
        [tenantId],
      );
      return row;
    },
    async takeNew(tenantId) {
      const name = newStackName();
      const rows = await query(
        `with ${tenant("$2")}, taken as (
          insert into public.service_stacks (name, status) select $1, 'taken' from tenant
          returning name
        ) ${given}`,
        [name, tenantId],
      );
      if (rows.length === 0) throw new TenantUnknownError();
      return { name, settings: null };
    },
    async keepSettings(name, settings) {
      await query("update public.service_stacks set settings = $2 where name = $1", [
        ...[name, settings],
      ]);
    },
    async rename(name) {
      const other = newStackName();
      await query(
        `with renamed as (
          update public.service_stacks set name = $2, settings = null
          where name = $1 and status = 'taken' returning name
        )
        insert into public.service_stacks (name, status, instance)
        select $1, 'removing', $3 from renamed`,
        [name, other, instance],
      );
      return other;
    },
  };
}

/**
 * The beginning of a statement that gives a tenant a stack: locks the tenant's declaration. Where that is gone,
 * or goes just now, no stack may be taken: nobody would ever give it back.
 *
 * @param id A parameter, such as `$1`.
 */
function tenant(id: string): string {
  return `tenant as (select id from public.service_tenants where id = ${id} for update)`;
}

/** The end of such a statement, whose `taken` is the stack: makes it the tenant's. */
const given = `update public.service_tenants as t set stack = taken.name, updated_at = now()
  from taken, tenant where t.id = tenant.id returning taken.*`;
