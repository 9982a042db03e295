import { connect } from "node:net";
import { signToken } from "../../service/auth/sign-token";
import type { Instance } from "./instance";
import type { Outcome } from "./ledger";

/** After how many ms without an answer a caller gives up: long after one is due. */
const PATIENCE = 60_000;

/** A request to whichever instance there is. */
export interface Sent {
  readonly method?: "GET" | "POST" | "PATCH" | "DELETE";
  readonly path: string;
  /** Undefined for none. */
  readonly token?: string | undefined;
  /** An object is sent as JSON, a string as it is. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** After how many ms the caller hangs up. */
  readonly hangUpAfter?: number | undefined;
}

/** What came back. */
export interface Received {
  readonly outcome: Outcome;
  readonly body: Readonly<Record<string, unknown>>;
  /** The body as it was. */
  readonly text: string;
}

/** The addresses of the instances that serve just now, the wanted one first. */
export function addresses(instances: readonly Pick<Instance, "url">[], first: number): string[] {
  const order = [instances[first], ...instances.filter((_, index) => index !== first)];
  return order.flatMap((instance) => instance?.url ?? []);
}

/** Sends a request to the first of the addresses; it is never sent twice. */
export async function send(
  [address]: readonly string[],
  { method = "POST", path, token, body, headers, hangUpAfter }: Sent,
): Promise<Received> {
  const nothing = { body: {}, text: "" };
  if (address === undefined) return { outcome: "not sent", ...nothing };
  const patience = new AbortController();
  const { signal } = patience;
  const limit = setTimeout(() => patience.abort(), hangUpAfter ?? PATIENCE);
  try {
    const response = await fetch(`${address}${path}`, {
      method,
      signal,
      headers: {
        ...(token === undefined ? {} : { Authorization: `Bearer ${token}` }),
        ...(body === undefined ? {} : { "Content-Type": "application/json" }),
        ...headers,
      },
      ...(body === undefined
        ? {}
        : { body: typeof body === "string" ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    const read = parse(text);
    const id = typeof read.id === "string" ? read.id : undefined;
    const retryAfter = response.headers.has("retry-after");
    return { outcome: { status: response.status, id, retryAfter }, body: read, text };
  } catch (error) {
    if (signal.aborted) {
      return { outcome: hangUpAfter === undefined ? "timed out" : "hung up", ...nothing };
    }
    return { outcome: isRefused(error) ? "not sent" : "no answer", ...nothing };
  } finally {
    clearTimeout(limit);
  }
}

/** Asks for a file. @returns its bytes too, where all of them came. */
export async function download(
  [address]: readonly string[],
  path: string,
  token: string,
): Promise<{ readonly outcome: Outcome; readonly bytes?: Buffer }> {
  if (address === undefined) return { outcome: "not sent" };
  const signal = AbortSignal.timeout(PATIENCE);
  try {
    const headers = { Authorization: `Bearer ${token}` };
    const response = await fetch(`${address}${path}`, { headers, signal });
    const bytes = Buffer.from(await response.arrayBuffer());
    const outcome = { status: response.status };
    return response.status === 200 ? { outcome, bytes } : { outcome };
  } catch (error) {
    if (signal.aborted) return { outcome: "timed out" };
    return { outcome: isRefused(error) ? "not sent" : "no answer" };
  }
}

/** Whether nobody listened at the address. */
function isRefused(error: unknown): boolean {
  const { cause } = error instanceof Error ? error : {};
  return cause instanceof Error && "code" in cause && cause.code === "ECONNREFUSED";
}

/** Announces a body, sends half of it and breaks the connection. */
export async function sendHalf([address]: readonly string[], token: string): Promise<void> {
  if (address === undefined) return;
  const { hostname, port } = new URL(address);
  await new Promise<void>((resolve) => {
    const socket = connect({ host: hostname, port: Number(port) }, () => {
      socket.write(
        `POST /api/tenant/setup HTTP/1.1\r\nHost: ${hostname}\r\nAuthorization: Bearer ${token}\r\n` +
          'Content-Type: application/json\r\nContent-Length: 400\r\n\r\n{"name": "Half of',
        () => socket.destroy(),
      );
    });
    socket.on("error", () => undefined).once("close", () => resolve());
  });
}

const all = [
  ...(["CREATE_TENANT", "UPDATE_TENANT", "DELETE_TENANT", "PURGE_TENANT"] as const),
  "EXPORT_TENANT",
] as const;

/** The tokens of the soak's callers. */
export function tokensOf(secret: string, subject: string) {
  const until = { expiresIn: "4h", issuer: undefined, audience: undefined } as const;
  return {
    asker: signToken(secret, { permissions: [...all], subject, ...until }),
    setter: signToken(secret, { permissions: ["CREATE_TENANT"], subject, ...until }),
    reader: signToken(secret, { permissions: ["VIEW_TENANTS"], subject: "reader", ...until }),
    forged: signToken(`not ${secret}`, { permissions: ["CREATE_TENANT"], subject, ...until }),
  };
}

function parse(text: string): Record<string, unknown> {
  try {
    const read: unknown = JSON.parse(text);
    return typeof read === "object" && read !== null ? { ...read } : {};
  } catch {
    return {};
  }
}
