import { setTimeout as delay } from "node:timers/promises";
import { addresses, send } from "./client";
import type { Outcome } from "./ledger";
import type { Scene } from "./scene";

/**
 * After how many ms without trouble an operation must have ended. While there is trouble nobody can say: on a busy
 * machine an instance may be killed again before it can do anything.
 */
const END_OF_OPERATION = 180_000;

/**
 * Waits for the end of an operation that was accepted, wherever it can be asked, and notes it.
 *
 * @returns whether it was seen to succeed.
 */
export async function follow(
  { instances, ledger, lastTrouble }: Scene,
  outcome: Outcome,
  how: {
    readonly token: string;
    readonly instance: number;
    readonly slug: string;
    /** Whether its events are read first. */
    readonly events: boolean;
  },
): Promise<boolean> {
  if (typeof outcome !== "object" || outcome.status !== 202 || outcome.id === undefined) {
    return false;
  }
  const operation = outcome.id;
  const { token, slug } = how;
  const look = (more: string) =>
    send(addresses(instances, how.instance), {
      ...{ method: "GET", path: `/api/operations/${operation}${more}`, token },
    });
  const began = performance.now();
  // When the instance dies, the stream breaks, and the end is asked for as without it.
  if (how.events) await look("/events");
  let status = "not there";
  while (performance.now() - Math.max(began, lastTrouble()) < END_OF_OPERATION) {
    const { outcome: answer, body } = await look("");
    if (typeof answer === "object" && answer.status === 200) {
      status = String(body.status);
      const tenantId = typeof body.tenantId === "string" ? body.tenantId : undefined;
      if (status === "succeeded" || status === "failed") {
        ledger.followed.push({ operation, slug, status, tenantId });
        if (body.kind === "setup" && status === "succeeded") ledger.learn(tenantId, body.slug);
        return status === "succeeded";
      }
    } else if (typeof answer === "object" && answer.status !== 503) {
      status = `answered with ${answer.status}`;
      break;
    }
    await delay(300);
  }
  ledger.followed.push({ operation, slug, status });
  return false;
}
