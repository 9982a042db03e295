import { z } from "zod";
import { rules } from "./rules";

/**
 * The rule of each argument of a tenant that is data, by the name under which a stack's author gives it, in a
 * program or in the stack's configuration.
 */
export const tenantInputs = {
  name: rules.name,
  slug: rules.slug,
  adminEmail: rules.email,
  adminPassword: rules.password.optional(),
  adminFirstName: rules.personName,
  adminLastName: rules.personName,
  forceDestroy: z.boolean().optional(),
  recreate: z.boolean().optional(),
  adopt: z.boolean().optional(),
  release: z.boolean().optional(),
  suspended: z.boolean().optional(),
  deleted: z.boolean().optional(),
  id: rules.id.optional(),
} as const;

/** The names that the steps have for an author's arguments, where theirs are others. */
const authorsNames: Record<string, string> = {
  tenantId: "id",
  email: "adminEmail",
  password: "adminPassword",
  firstName: "adminFirstName",
  lastName: "adminLastName",
};

/**
 * A fault of a tenant in words.
 *
 * @param field The argument, also by the name that a step has for it; "" where the reason says all.
 * @returns such as `adminEmail: must be an e-mail address`.
 */
export function faultOf(field: string, reasons: readonly string[]): string {
  const words = [...new Set(reasons)].join("; ");
  return field === "" ? words : `${authorsNames[field] ?? field}: ${words}`;
}

/**
 * What is wrong with an argument, without its value.
 *
 * @returns undefined where nothing is.
 */
export function faultIn(field: string, rule: z.ZodType, value: unknown): string | undefined {
  const parsed = rule.safeParse(value);
  if (parsed.success) return undefined;
  if (value === undefined) return `${field}: is missing`;
  return faultOf(
    field,
    parsed.error.issues.map(({ message }) => message),
  );
}
