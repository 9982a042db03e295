import { Struct } from "google-protobuf/google/protobuf/struct_pb";

/** A property's value as gRPC messages hold it. */
export type Value = null | string | number | boolean | Value[] | { [key: string]: Value };

/** A resource's properties by name. */
export type Properties = Record<string, Value>;

/** A problem that a check found. `property` is empty where the official plugin names it in the reason only. */
export interface Failure {
  readonly property: string;
  readonly reason: string;
}

/**
 * Stands for a value that the engine does not know yet during a preview.
 * https://github.com/pulumi/pulumi/blob/v3.246.0/sdk/go/common/resource/plugin/rpc.go
 */
export const UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";

/** The property that lists the inputs which a check filled in. */
export const DEFAULTS = "__defaults";

/** The properties without the one of that name. */
export function without(key: string, properties: Properties): Properties {
  return Object.fromEntries(Object.entries(properties).filter(([name]) => name !== key));
}

const SIGNATURE = "4dabf18193072939515e22adb298388d";
const SECRET = "1b47061264138c4ac30d75fd1eb44270";

/** Reads a message's properties. A secret becomes its plain value, and a property that is null is left out. */
export function fromStruct(struct: Struct | undefined): Properties {
  const wire = struct?.toJavaScript() ?? {};
  return Object.fromEntries(
    Object.entries(wire)
      .map(([key, value]) => [key, unwrapped(value)] as const)
      .filter(([, value]) => value !== null),
  );
}

/** Writes properties into a message. */
export function toStruct(properties: Properties): Struct {
  return Struct.fromJavaScript(properties);
}

/** The value, marked so that the engine encrypts it wherever it keeps it. */
export function secret(value: Value): Value {
  return { [SIGNATURE]: SECRET, value };
}

function unwrapped(value: Value): Value {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return value[SIGNATURE] === SECRET ? (value.value ?? null) : value;
}
