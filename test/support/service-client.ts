import { assertDescribed } from "./described";

/** An answer of the service, read to its end. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  /** The parsed JSON. */
  readonly body: {
    readonly id?: string;
    readonly name?: string;
    readonly slug?: string;
    readonly message?: string;
    readonly details?: readonly { readonly path: string; readonly message: string }[];
    readonly [field: string]: unknown;
  };
}

/** A request that breaks no rule, with some fields changed. */
export function tenantBody(changes: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    name: "Acme Corp",
    slug: "acme-corp",
    adminEmail: "ana@acme.example",
    adminPassword: "a quiet purple river",
    adminFirstName: "Ana",
    adminLastName: "Diaz",
    ...changes,
  };
}

/**
 * Sends a request and reads its answer.
 *
 * @throws where the answer is none that `/openapi.json` describes.
 */
export async function send(
  url: string,
  options: {
    method?: string;
    token?: string;
    body?: unknown;
    headers?: Record<string, string>;
  } = {},
): Promise<Answer> {
  const { method = "GET", token, body, headers } = options;
  const response = await fetch(url, {
    method,
    headers: {
      ...(token === undefined ? {} : { Authorization: `Bearer ${token}` }),
      ...(body === undefined ? {} : { "Content-Type": "application/json" }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
  });
  const text = await response.text();
  const answer: unknown = text === "" ? undefined : JSON.parse(text);
  assertDescribed(method, url, { status: response.status, body: answer });
  return {
    status: response.status,
    headers: response.headers,
    body: (answer ?? {}) as Answer["body"],
  };
}

/** Asks for a tenant. */
export function postSetUp(base: string, token: string, body: unknown): Promise<Answer> {
  return send(`${base}/api/tenant/setup`, { method: "POST", token, body });
}
