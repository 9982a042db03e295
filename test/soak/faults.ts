import type { Wanted } from "./ledger";

/** A request that is wrong in one way, and how it must be refused. */
export interface Fault {
  readonly what: string;
  readonly refusal: number;
  readonly body: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** Whose token it comes with. */
  readonly as?: "nobody" | "a forger" | "a reader";
}

/** Every way of asking badly for a tenant. */
export function faultsOf(wanted: Wanted): readonly Fault[] {
  const good = bodyOf(wanted);
  const without = Object.fromEntries(
    Object.entries(good).filter(([field]) => field !== "adminEmail"),
  );
  return [
    { what: "no JSON", refusal: 400, body: '{"name": "The' },
    { what: "a list", refusal: 400, body: [good] },
    { what: "a field is missing", refusal: 400, body: without },
    { what: "a field too many", refusal: 400, body: { ...good, plan: "gold" } },
    { what: "a slug that is none", refusal: 400, body: { ...good, slug: "Not A Slug" } },
    { what: "a short password", refusal: 400, body: { ...good, adminPassword: "short" } },
    { what: "a name with control characters", refusal: 400, body: { ...good, name: "a\u0000b" } },
    { what: "a bad key", refusal: 400, body: good, headers: { "Idempotency-Key": "a key" } },
    { what: "no token", refusal: 401, body: good, as: "nobody" },
    { what: "a forged token", refusal: 401, body: good, as: "a forger" },
    { what: "a token for reading", refusal: 403, body: good, as: "a reader" },
    { what: "a large body", refusal: 413, body: { ...good, name: "x".repeat(20_000) } },
    { what: "text", refusal: 415, body: good, headers: { "Content-Type": "text/plain" } },
  ];
}

/** The body that asks for a tenant. */
export function bodyOf({ slug, name, adminEmail }: Wanted): Record<string, string> {
  const adminPassword = `the first password of ${slug}`;
  return { slug, name, adminEmail, adminPassword, adminFirstName: "Ana", adminLastName: "Diaz" };
}
