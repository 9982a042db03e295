import {
  DEFAULTS,
  UNKNOWN,
  without,
  type Failure,
  type Properties,
  type Value,
} from "./properties";

/** A schema as a stack declares it, or as a state holds it. */
export interface Schema {
  readonly name: string;
  /** Undefined: the provider's own database. */
  readonly database: string | undefined;
  /** Undefined: the connected role, or, when the schema is there already, its owner. */
  readonly owner: string | undefined;
  readonly ifNotExists: boolean;
  readonly dropCascade: boolean;
}

/**
 * Checks the inputs of the `postgresql.Schema` of that name, and fills in the defaults that the official
 * plugin fills in. A value that is not known yet, in a preview, passes.
 */
export function checkSchema(
  name: string,
  news: Properties,
): { inputs: Properties; failures: Failure[] } {
  const failures: Failure[] = [];
  const inputs: Properties = {};
  for (const [key, value] of Object.entries(without(DEFAULTS, news))) {
    inputs[key] = value;
    const kind = KINDS.get(key);
    if (kind === undefined) {
      failures.push(examine("Invalid or unknown key", name, key));
    } else if (kind === "unserved") {
      failures.push({
        property: key,
        reason: `${STAND_IN} sets no "${key}"; the official one does.`,
      });
    } else if (kind === "boolean" && value !== UNKNOWN) {
      const parsed = parseBool(value);
      if (parsed === undefined) failures.push(examine(notBool(value), name, key));
      else inputs[key] = parsed;
    } else if (kind === "string") {
      const text = textOf(value);
      if (text === undefined) failures.push(examine("expected a string", name, key));
      else inputs[key] = text;
    }
  }
  if (inputs.name === undefined) {
    failures.push({ property: "name", reason: `${STAND_IN} makes up no names: give "name".` });
  }
  const defaults = "ifNotExists" in inputs ? [] : ["ifNotExists"];
  return { inputs: { ifNotExists: true, ...inputs, [DEFAULTS]: defaults }, failures };
}

/** The properties with the defaults of what PostgreSQL does not store of a schema. */
export function withDefaults(properties: Properties): Properties {
  return { ifNotExists: true, dropCascade: false, ...without(DEFAULTS, properties) };
}

/** Reads inputs that were checked, or a state. */
export function schemaOf(properties: Properties): Schema {
  const { name, database, owner, ifNotExists, dropCascade } = withDefaults(properties);
  return {
    name: typeof name === "string" ? name : "",
    database: typeof database === "string" && database !== "" ? database : undefined,
    owner: typeof owner === "string" ? owner : undefined,
    ifNotExists: ifNotExists !== false,
    dropCascade: dropCascade === true,
  };
}

const STAND_IN = "The stand-in for the postgresql plugin";

const KINDS = new Map<string, "string" | "boolean" | "unserved">([
  ["name", "string"],
  ["database", "string"],
  ["owner", "string"],
  ["ifNotExists", "boolean"],
  ["dropCascade", "boolean"],
  ["policies", "unserved"],
]);

/**
 * A number or a boolean where a text is wanted is taken as its text, as by the official plugin: a
 * stack in YAML says `name: 5`.
 * https://github.com/pulumi/pulumi-terraform-bridge/blob/main/pkg/tfbridge/schema.go, makeTerraformInput
 */
function textOf(value: Value): string | undefined {
  return typeof value === "object" ? undefined : String(value);
}

/** As Go's strconv.ParseBool, for a stack whose language writes booleans as strings. */
function parseBool(value: Value): boolean | undefined {
  if (typeof value === "boolean") return value;
  if (typeof value !== "string") return undefined;
  if (["1", "t", "T", "true", "TRUE", "True"].includes(value)) return true;
  return ["0", "f", "F", "false", "FALSE", "False"].includes(value) ? false : undefined;
}

function notBool(value: Value): string {
  const text = JSON.stringify(typeof value === "string" ? value : JSON.stringify(value));
  return `cannot parse '' as bool: strconv.ParseBool: parsing ${text}: invalid syntax`;
}

function examine(complaint: string, name: string, key: string): Failure {
  return { property: "", reason: `${complaint}. Examine values at '${name}.${key}'.` };
}
