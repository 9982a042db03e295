import { send, type Answer } from "./service-client";
import { verbRequest, type VerbBody, type VerbName } from "./tenant-life";
import type { Told } from "./told";

/** A verb that is sent for a tenant. */
export interface SentVerb {
  readonly tenantId: string;
  readonly verb: VerbName;
  readonly body: VerbBody;
}

/** Sends a verb and waits for its answer. */
export function sendVerb(
  url: string,
  token: string,
  { tenantId, verb, body }: SentVerb,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const { method, path, body: sent } = verbRequest(tenantId, verb, body);
  return send(`${url}${path}`, { method, token, body: sent, headers });
}

/** Sends a verb, and notes when and what was answered, as {@link Told}; nothing where the tenant was busy. */
export async function tell(
  url: string,
  token: string,
  sent: SentVerb,
): Promise<{ readonly answer: Answer; readonly told: readonly Told[] }> {
  const { verb, body } = sent;
  const sentAt = performance.now();
  const answer = await sendVerb(url, token, sent);
  const { status, body: shown } = answer;
  const times = { sentAt, endedAt: performance.now() };
  const words = { 200: "done", 204: "done", 404: "gone", 409: "refused" } as const;
  if (!(status in words)) throw new Error(`${verb}: ${status} ${JSON.stringify(shown)}`);
  if (shown.code === "TENANT_BUSY") return { answer, told: [] };
  const told: Told = { ...times, verb, body, answer: words[status as keyof typeof words] };
  if (status !== 200) return { answer, told: [told] };
  return { answer, told: [told, seen(shown, times)] };
}

/** Looks at a tenant, and notes what was seen. */
export async function look(url: string, token: string, tenantId: string): Promise<Told> {
  const sentAt = performance.now();
  const { status, body } = await send(`${url}/api/tenant/${tenantId}`, { token });
  const times = { sentAt, endedAt: performance.now() };
  if (status === 404) return { ...times, verb: "view", body: {}, answer: "gone" };
  return seen(body, times);
}

function seen(
  { status, name = "", slug = "" }: Answer["body"],
  times: Pick<Told, "sentAt" | "endedAt">,
): Told {
  const shown = { status: String(status), name, slug };
  return { ...times, verb: "view", body: {}, answer: "done", shown };
}
