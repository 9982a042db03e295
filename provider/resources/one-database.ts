import type * as pulumi from "@pulumi/pulumi";
import { OtherDatabaseError, refusal } from "../contract/errors";
import { identify, otherDatabase, readIdentity, type DatabaseIdentity } from "../database/identity";
import { configureUrl } from "../database/settings";
import { isUnknown, urlIn, type RawInputs } from "./dynamic";

/** The inputs that a step has from its database. */
export interface DatabaseArgs {
  /** Absent where the program did not ask it, or a preview could not. */
  database?: pulumi.Input<DatabaseIdentity | undefined> | undefined;
  /** The roles as which the product works on tenants. Absent where none are named: nobody gets a right then. */
  productRoles?: readonly string[] | undefined;
}

/** A life cycle whose resource is in a database. `never` stands for inputs, which differ from step to step. */
interface Lifecycle {
  check(olds: RawInputs, news: RawInputs): Checked;
  diff(id: string, olds: never, news: never): Diff | Promise<Diff>;
  create(inputs: never): Promise<{ id: string; outs: object }>;
  read(id: string, props: never): Promise<{ id?: string; props?: object }>;
  update(id: string, olds: never, news: never): Promise<{ outs: object }>;
  delete(id: string, props: never): Promise<void>;
}

interface Diff {
  changes: boolean;
  replaces: string[];
}

interface Checked {
  inputs: RawInputs;
  failures: pulumi.dynamic.CheckFailure[];
}

/**
 * Has a life cycle work in one database only. The state keeps the identity of that database, as `database`,
 * and when another one is found, each function fails before it reads or changes anything there. A state of an
 * earlier version has no identity; the next update or refresh writes it.
 *
 * check and diff do not ask the database which one it is. They compare the state with the identity among the
 * inputs, which the program has found.
 */
export function inOneDatabase<T extends Lifecycle>(lifecycle: T): T {
  const guarded: Lifecycle & Pick<pulumi.dynamic.ResourceProvider, "configure"> = {
    configure(request) {
      configureUrl(urlIn(request));
      return Promise.resolve();
    },

    check(olds, { database, ...news }) {
      const { inputs, failures } = lifecycle.check(olds, news);
      if (database === undefined) return { inputs, failures };
      const found = readIdentity(database);
      if (found === undefined && !isUnknown(database)) {
        failures.push({ property: "database", reason: "is no identity of a database" });
      }
      const fault = found && isSameVariable(olds, news) && otherDatabase(olds.database, found);
      // No property is named: the engine would print its value.
      if (fault)
        failures.push({ property: "", reason: refusal("OTHER_DATABASE", message(news, fault)) });
      // Of a database without control tables only the name is known. As an input of a new resource, that
      // would differ from the identity which the state has once they are made, and every refresh would show
      // a change.
      const isToBeMade =
        olds.urlEnv === undefined && found?.id === undefined && !isUnknown(database);
      if (isToBeMade) return { inputs, failures };
      return { inputs: { ...inputs, database: found ?? database }, failures };
    },

    /** Reports another database as a change, so that update runs and decides whether it is refused. */
    diff(id, olds: RawInputs, news: RawInputs) {
      const [known, found] = [olds, news].map(({ database }) => readIdentity(database));
      const isOther = known?.id !== undefined && found !== undefined && known.id !== found.id;
      const withOther = (diff: Diff) => ({ ...diff, changes: diff.changes || isOther });
      const diff = lifecycle.diff(id, olds as never, news as never);
      return diff instanceof Promise ? diff.then(withOther) : withOther(diff);
    },

    async create(inputs: RawInputs) {
      const found = await identify(variableOf(inputs));
      const { id, outs } = await lifecycle.create(inputs as never);
      return { id, outs: { ...outs, ...(await identityAfter(inputs, found)) } };
    },

    async read(id, props: RawInputs) {
      const found = await assertSameDatabase(props, props);
      const result = await lifecycle.read(id, props as never);
      if (result.props === undefined || found.id === undefined) return result;
      return { ...result, props: { ...result.props, database: found } };
    },

    async update(id, olds: RawInputs, news: RawInputs) {
      // Another variable is meant to name another database, so the old identity is not compared. The
      // record's own update checks that the tenant is in the new one.
      const found = await assertSameDatabase(isSameVariable(olds, news) ? olds : {}, news);
      const { outs } = await lifecycle.update(id, olds as never, news as never);
      return { outs: { ...outs, ...(await identityAfter(news, found)) } };
    },

    async delete(id, props: RawInputs) {
      await assertSameDatabase(props, props);
      await lifecycle.delete(id, props as never);
    },
  };
  return { ...lifecycle, ...guarded };
}

/** @throws {@link OtherDatabaseError} when the database is not the one that the state is about. */
async function assertSameDatabase(state: RawInputs, inputs: RawInputs): Promise<DatabaseIdentity> {
  const found = await identify(variableOf(inputs));
  const fault = otherDatabase(state.database, found);
  if (fault !== undefined) throw new OtherDatabaseError(message(inputs, fault));
  return found;
}

/** Asks again where there was no identity: this very step may have made the control tables with it. */
async function identityAfter(
  inputs: RawInputs,
  before: DatabaseIdentity,
): Promise<{ database?: DatabaseIdentity }> {
  const found = before.id === undefined ? await identify(variableOf(inputs)) : before;
  return found.id === undefined ? {} : { database: found };
}

function message(inputs: RawInputs, fault: string): string {
  return `${String(inputs.urlEnv)} names another database: ${fault}`;
}

function variableOf({ urlEnv }: RawInputs): string | undefined {
  return urlEnv as string | undefined;
}

function isSameVariable(olds: RawInputs, news: RawInputs): boolean {
  return olds.urlEnv === news.urlEnv;
}
