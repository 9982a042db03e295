import type { TenantDeclaration } from "../../program/stack";

/** A tenant as the body of a set-up request describes it. */
export type NewTenant = Omit<TenantDeclaration, "key" | "forceDestroy" | "id"> & {
  readonly adminPassword: string;
};

let made = 0;

/** A new tenant at each call, with an admin of its own. */
export function newTenant(): NewTenant {
  made += 1;
  const slug = `bench-${made}`;
  return {
    name: `Bench ${made}`,
    slug,
    adminEmail: `admin@${slug}.example`,
    adminPassword: "a quiet purple river",
    adminFirstName: "Ana",
    adminLastName: "Diaz",
  };
}
