import type { TenantDeclaration } from "../../program/stack";

/** A tenant as a request asks for it. */
export type NewTenant = Omit<TenantDeclaration, "key" | "migrationsDir" | "forceDestroy" | "id">;

let made = 0;

/** Another tenant at each call, with an admin of its own. */
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
