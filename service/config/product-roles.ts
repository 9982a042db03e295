import { z } from "zod";
import { rules } from "../../provider/contract/rules";

/** PRODUCT_ROLES: the names of PostgreSQL roles, separated by commas. */
export const productRoles = z
  .string()
  .transform((names) => names.split(",").map((name) => name.trim()))
  .pipe(z.array(rules.roleName));
