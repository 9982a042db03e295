import { DEFAULTS, UNKNOWN, type Properties } from "./properties";
import type { LiveSchema } from "./schema-database";
import { withDefaults } from "./schema-inputs";

/**
 * How the official plugin's Terraform core finds its own state in ours: it is written as the
 * official plugin writes it, so that either can go on where the other stopped.
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
 * @param inputs what PostgreSQL does not know of it: its checked inputs.
 * @param older the state before, whose policies live on.
 */
export function stateOf(live: LiveSchema, inputs: Properties, older: Properties = {}): Properties {
  return stateWith(live, withDefaults(inputs), older);
}

/**
 * The state of a schema that was looked for. What no stack has said of it yet is null: the official
 * plugin fills in no defaults when it reads.
 *
 * @param older the state before; empty for a schema that is known by its id alone.
 */
export function foundState(live: LiveSchema, older: Properties): Properties {
  return stateWith(live, { ...UNSAID, ...older }, older);
}

const UNSAID: Properties = { ifNotExists: null, dropCascade: null };

function stateWith(live: LiveSchema, given: Properties, older: Properties): Properties {
  const { ifNotExists = null, dropCascade = null } = given;
  const kept = Object.fromEntries(Object.entries(older).filter(([key]) => key in OFFICIAL));
  // The delta tells of the policies beside it, so a state has its own of both, or ours.
  const official = "policies" in older ? kept : OFFICIAL;
  return { ...official, ifNotExists, dropCascade, ...live, id: idOf(live) };
}

/** The state to be, as a preview shows it: PostgreSQL chooses what the inputs leave open. */
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

/** The inputs that would have made the state: of the older ones, those that are still there. */
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
  return { ...UNSAID, database, name, owner, [DEFAULTS]: [] };
}
