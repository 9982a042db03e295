import { DEFAULTS, UNKNOWN, type Properties } from "./properties";
import type { LiveSchema } from "./schema-database";
import { withDefaults } from "./schema-inputs";

/**
 * The property in which the official plugin keeps how its Terraform state differs from the Pulumi state.
 * The stand-in writes it too, so that each of the two plugins can use the state that the other wrote.
 */
const RAW_STATE_DELTA = "__pulumi_raw_state_delta";

const OFFICIAL: Properties = {
  [RAW_STATE_DELTA]: {
    obj: { ps: { policies: { arr: {} } }, renamed: { policies: "policy" } },
  },
  policies: [],
};

/** The schema's id, in every state and for `pulumi import`: `database.name`. */
export function idOf({ database, name }: Pick<LiveSchema, "database" | "name">): string {
  return `${database}.${name}`;
}

/**
 * Reads an id.
 *
 * @throws Error when it is not of the form `database.name`.
 */
export function parseId(id: string): Pick<LiveSchema, "database" | "name"> {
  const [database, name, ...rest] = id.split(".");
  if (!database || !name || rest.length > 0) {
    throw new Error(`schema ID ${id} has not the expected format 'database.schema'`);
  }
  return { database, name };
}

/**
 * The state of a schema that was made or updated.
 *
 * @param inputs its checked inputs, for what PostgreSQL does not know of a schema.
 * @param older the state before, whose policies are kept.
 */
export function stateOf(live: LiveSchema, inputs: Properties, older: Properties = {}): Properties {
  return stateWith(live, withDefaults(inputs), older);
}

/**
 * The state of a schema that a refresh or an import found. What no stack has declared of it is null: the
 * official plugin fills in no defaults when it reads.
 *
 * @param older the state before; empty for a schema that is known by its id alone.
 */
export function foundState(live: LiveSchema, older: Properties): Properties {
  return stateWith(live, { ...UNDECLARED, ...older }, older);
}

const UNDECLARED: Properties = { ifNotExists: null, dropCascade: null };

function stateWith(live: LiveSchema, given: Properties, older: Properties): Properties {
  const { ifNotExists = null, dropCascade = null } = given;
  const kept = Object.fromEntries(Object.entries(older).filter(([key]) => key in OFFICIAL));
  // The delta describes the policies, so both are taken from the same source: the older state, or here.
  const official = "policies" in older ? kept : OFFICIAL;
  return { ...official, ifNotExists, dropCascade, ...live, id: idOf(live) };
}

/** The state as a preview shows it: what the inputs leave open is unknown until PostgreSQL chooses it. */
export function plannedState(
  inputs: Properties,
  older: Properties = CHOSEN_BY_POSTGRESQL,
): Properties {
  return { ...older, ...withDefaults(inputs) };
}

const CHOSEN_BY_POSTGRESQL: Properties = {
  id: UNKNOWN,
  database: UNKNOWN,
  owner: UNKNOWN,
  policies: UNKNOWN,
};

/** The inputs after a refresh: those that the stack gave before, with the values that were found. */
export function refreshedInputs(state: Properties, older: Properties): Properties {
  const inputs: Properties = {};
  for (const key of Object.keys(older)) {
    const value = state[key];
    if (value !== undefined) inputs[key] = value;
  }
  const defaults = older[DEFAULTS];
  if (!Array.isArray(defaults)) return inputs;
  return {
    ...inputs,
    [DEFAULTS]: defaults.filter((key) => typeof key === "string" && inputs[key] === older[key]),
  };
}

/** The inputs of a schema that is imported. */
export function importedInputs({ database, name, owner }: LiveSchema): Properties {
  return { ...UNDECLARED, database, name, owner, [DEFAULTS]: [] };
}
