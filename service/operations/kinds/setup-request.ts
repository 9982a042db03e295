import { z } from "zod";
import { rules } from "../../../provider/contract/rules";

/** The body of `POST /api/tenant/setup`. */
export const tenantRequest = z.strictObject({
  name: rules.name,
  slug: rules.slug,
  adminEmail: rules.email,
  // A hash that somebody sends is a long password like any other.
  adminPassword: rules.plainPassword,
  adminFirstName: rules.personName,
  adminLastName: rules.personName,
});

/** A tenant that a caller asks for; its password is still plain. */
export type TenantRequest = z.infer<typeof tenantRequest>;
