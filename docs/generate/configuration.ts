import { z } from "zod";
import { variables } from "../../service/config/variables";

/** The table of the service's variables, from the schema that reads them. */
export function configuration(): string {
  const rows = Object.entries(variables.shape).map(([name, schema]) => row(name, schema));
  return ["| variable | default | values | meaning |", "| --- | --- | --- | --- |", ...rows].join(
    "\n",
  );
}

function row(name: string, schema: z.ZodType): string {
  const { meaning, standard } = described(name, schema);
  const cells = [`\`${name}\``, standard ?? defaultOf(schema), allowedBy(schema), meaning];
  return `| ${cells.join(" | ")} |`;
}

/**
 * A description may end in `Default: …`, where the schema's own default says nothing: it is another one on
 * each machine, or comes from elsewhere.
 *
 * @throws Error when the variable is not described.
 */
function described(name: string, schema: z.ZodType): { meaning: string; standard?: string } {
  if (schema.description === undefined) throw new Error(`${name} has no .describe(…)`);
  const [meaning = "", standard] = schema.description.split(/\.? Default: /);
  return standard === undefined ? { meaning } : { meaning, standard };
}

function defaultOf(schema: z.ZodType): string {
  if (!(schema instanceof z.ZodDefault)) return "";
  const value: unknown = schema.def.defaultValue;
  return `\`${String(value)}\``;
}

/** What the schema itself answers to a value that no variable with a range or a choice takes. */
function allowedBy(schema: z.ZodType): string {
  const message = schema.safeParse("999999").error?.issues[0]?.message ?? "";
  return /^must be ((?:from \d|true or false).*)$/.exec(message)?.[1] ?? "";
}
