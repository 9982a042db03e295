import { randomBytes } from "node:crypto";

/** A stack of the service, and its settings file, which the CLI keeps outside of the state. */
export interface StackRow {
  readonly name: string;
  /** The text of the settings file; null where the CLI has to write it. */
  readonly settings: string | null;
}

/**
 * The end of a statement that takes the oldest spare stack.
 * `skip locked`: of two instances that take a spare stack at once, each gets another one, or one gets none.
 */
export const oldestSpare = `name = (
  select name from public.service_stacks where status <> 'taken' and status = 'spare'
  order by created_at limit 1 for update skip locked
) returning name, settings`;

/** A name that no stack has. */
export function newStackName(): string {
  return `tenant-${randomBytes(8).toString("hex")}`;
}
