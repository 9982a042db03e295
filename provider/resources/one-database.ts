import type * as pulumi from "@pulumi/pulumi";
import { OtherDatabaseError, refusal } from "../contract/errors";
import { identify, otherDatabase, readIdentity, type DatabaseIdentity } from "../database/identity";
import { isUnknown, type RawInputs } from "./dynamic";

/** The input by which the program says which database it has found. */
export interface DatabaseArgs {
  /** Absent where that is not known, as in a preview without a database. */
  database?: pulumi.Input<DatabaseIdentity | undefined> | undefined;
}

/** A life cycle whose resource is in a database; the parameters are those of each step. */
interface Lifecycle {
  check(olds: RawInputs, news: RawInputs): Checked;
  diff(id: string, olds: never, news: never): { changes: boolean; replaces: string[] };
  create(inputs: never): Promise<{ id: string; outs: object }>;
  read(id: string, props: never): Promise<{ id?: string; props?: object }>;
  update(id: string, olds: never, news: never): Promise<{ outs: object }>;
  delete(id: string, props: never): Promise<void>;
}

interface Checked {
  inputs: RawInputs;
  failures: pulumi.dynamic.CheckFailure[];
}

/**
 * Adds to a life cycle what all have in common: the state holds the identity of the database that the
 * resource is in, as `database`, and another database is refused before anything is read, made, changed
 * or removed in it. A state that has no identity yet takes it over when it is next updated or refreshed.
 *
 * check and diff ask no database: what the program has found is among the inputs.
 */
export function inOneDatabase<T extends Lifecycle>(lifecycle: T): T {
  const guarded: Lifecycle = {
    check(olds, { database, ...news }) {
      const { inputs, failures } = lifecycle.check(olds, news);
      if (database === undefined) return { inputs, failures };
      const found = readIdentity(database);
      if (found === undefined && !isUnknown(database)) {
        failures.push({ property: "database", reason: "is no identity of a database" });
      }
      const fault = found && isSameVariable(olds, news) && otherDatabase(olds.database, found);
      // Named to no property: the engine would print all that is in it.
      if (fault)
        failures.push({ property: "", reason: refusal("OTHER_DATABASE", words(news, fault)) });
      // What has no identity yet gets one as it is made, and a refresh would see that as a change.
      const isToBeMade =
        olds.urlEnv === undefined && found?.id === undefined && !isUnknown(database);
      if (isToBeMade) return { inputs, failures };
      return { inputs: { ...inputs, database: found ?? database }, failures };
    },

    /** Another database is a change, so that update judges it: a refresh asks too, of what it has read. */
    diff(id, olds: RawInputs, news: RawInputs) {
      const diff = lifecycle.diff(id, olds as never, news as never);
      const [known, found] = [olds, news].map(({ database }) => readIdentity(database));
      const isOther = known?.id !== undefined && found !== undefined && known.id !== found.id;
      return { ...diff, changes: diff.changes || isOther };
    },

    async create(inputs: RawInputs) {
      const found = await identify(variableOf(inputs));
      const { id, outs } = await lifecycle.create(inputs as never);
      return { id, outs: { ...outs, ...(await identityAfter(inputs, found)) } };
    },

    async read(id, props: RawInputs) {
      const found = await same(props, props);
      const result = await lifecycle.read(id, props as never);
      if (result.props === undefined || found.id === undefined) return result;
      return { ...result, props: { ...result.props, database: found } };
    },

    async update(id, olds: RawInputs, news: RawInputs) {
      // Another variable names another database on purpose; whether the tenant is in it the record asks.
      const found = await same(isSameVariable(olds, news) ? olds : {}, news);
      const { outs } = await lifecycle.update(id, olds as never, news as never);
      return { outs: { ...outs, ...(await identityAfter(news, found)) } };
    },

    async delete(id, props: RawInputs) {
      await same(props, props);
      await lifecycle.delete(id, props as never);
    },
  };
  return { ...lifecycle, ...guarded };
}

/** @throws OtherDatabaseError when the variable does not name the database that the state is about. */
async function same(state: RawInputs, inputs: RawInputs): Promise<DatabaseIdentity> {
  const found = await identify(variableOf(inputs));
  const fault = otherDatabase(state.database, found);
  if (fault !== undefined) throw new OtherDatabaseError(words(inputs, fault));
  return found;
}

/** The control tables, and with them the identity, may have been made just now. */
async function identityAfter(
  inputs: RawInputs,
  before: DatabaseIdentity,
): Promise<{ database?: DatabaseIdentity }> {
  const found = before.id === undefined ? await identify(variableOf(inputs)) : before;
  return found.id === undefined ? {} : { database: found };
}

function words(inputs: RawInputs, fault: string): string {
  return `${String(inputs.urlEnv)} names another database: ${fault}`;
}

function variableOf({ urlEnv }: RawInputs): string | undefined {
  return urlEnv as string | undefined;
}

function isSameVariable(olds: RawInputs, news: RawInputs): boolean {
  return olds.urlEnv === news.urlEnv;
}
