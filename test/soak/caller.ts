import { setTimeout as delay } from "node:timers/promises";
import { addresses, send, sendHalf, tokensOf, type Received, type Sent } from "./client";
import { bodyOf, faultsOf } from "./faults";
import type { Instance } from "./instance";
import type { Asked, Ledger, Wanted } from "./ledger";
import type { Action } from "./plan";

/** After how many ms an operation must have ended, whatever happens meanwhile. */
const END_OF_OPERATION = 180_000;

/** What callers share. */
export interface Scene {
  readonly instances: readonly Instance[];
  readonly secret: string;
  readonly ledger: Ledger;
}

/** Does one action after the other until it is told to stop; what has begun is brought to its end. */
export async function call(
  name: string,
  plan: Iterator<Action, never>,
  scene: Scene,
  stopped: AbortSignal,
): Promise<void> {
  const caller = new Caller(name, scene);
  while (!stopped.aborted) {
    const action = plan.next().value;
    await delay(action.pause);
    await caller.does(action);
  }
}

/** Somebody with a token who asks for tenants. */
class Caller {
  private readonly tokens: ReturnType<typeof tokensOf>;

  constructor(
    name: string,
    private readonly scene: Scene,
  ) {
    this.tokens = tokensOf(scene.secret, name);
  }

  async does(action: Action): Promise<void> {
    const ask = (wanted: Wanted, more: Partial<Sent> = {}, instance = action.instance) =>
      this.ask(action.does, wanted, instance, more);
    switch (action.does) {
      case "set up":
      case "ask again":
        await ask(action.wanted);
        return;
      case "ask and follow": {
        const { outcome } = await ask(action.wanted, { headers: later });
        await this.follow(outcome, action.wanted.slug, action.instance, action.events);
        return;
      }
      case "race":
        await Promise.all(action.racers.map((wanted, index) => ask(wanted, {}, index % 2)));
        return;
      case "burst":
        await Promise.all(action.burst.map((wanted) => ask(wanted, { headers: later })));
        return;
      case "retry with a key": {
        const headers = { "Idempotency-Key": action.key };
        const first = ask(action.wanted, { headers });
        const others = action.pauses.map(async (pause, index) => {
          await delay(pause);
          await ask(action.wanted, { headers }, index % 2);
        });
        await Promise.all([first, ...others]);
        if (action.other !== undefined) await ask(action.other, { headers });
        return;
      }
      case "hang up": {
        const headers = action.key === undefined ? {} : { "Idempotency-Key": action.key };
        await ask(action.wanted, { headers, hangUpAfter: action.after });
        if (action.key !== undefined) await ask(action.wanted, { headers });
        return;
      }
      case "ask badly":
        await this.askBadly(action.wanted, action.instance, action.fault);
        return;
      case "cut its body off":
        await sendHalf(this.addresses(action.instance), this.tokens.asker);
        return;
      case "read":
        await this.read(action.instance);
    }
  }

  private async ask(
    what: string,
    wanted: Wanted,
    instance: number,
    more: Partial<Sent>,
    refusal?: number,
  ): Promise<Received> {
    const key = more.headers?.["Idempotency-Key"];
    const asked: Asked = { what, wanted, key, refusal, outcome: "timed out" };
    this.scene.ledger.asked.push(asked);
    const received = await send(this.addresses(instance), {
      path: "/api/tenant/setup",
      token: this.tokens.asker,
      body: bodyOf(wanted),
      ...more,
    });
    asked.outcome = received.outcome;
    return received;
  }

  private async askBadly(wanted: Wanted, instance: number, which: number): Promise<void> {
    const faults = faultsOf(wanted);
    const fault = faults[which % faults.length];
    if (fault === undefined) return;
    const { asker, reader, forged } = this.tokens;
    const token = { nobody: undefined, "a forger": forged, "a reader": reader, me: asker };
    const sent = { body: fault.body, headers: fault.headers, token: token[fault.as ?? "me"] };
    await this.ask(`ask badly: ${fault.what}`, wanted, instance, sent, fault.refusal);
  }

  /** Waits for the end of an operation that was accepted, wherever it can be asked. */
  private async follow(
    outcome: Asked["outcome"],
    slug: string,
    instance: number,
    byEvents: boolean,
  ): Promise<void> {
    if (typeof outcome !== "object" || outcome.status !== 202 || outcome.id === undefined) return;
    const operation = outcome.id;
    const path = `/api/operations/${operation}`;
    const look = (more: string) =>
      send(this.addresses(instance), {
        method: "GET",
        path: path + more,
        token: this.tokens.asker,
      });
    const began = performance.now();
    // When the instance dies, the stream breaks, and the end is asked for as without it.
    if (byEvents) await look("/events");
    let status = "not there";
    while (performance.now() - began < END_OF_OPERATION) {
      const { outcome: answer, body } = await look("");
      if (typeof answer === "object" && answer.status === 200) {
        status = String(body.status);
        const tenantId = typeof body.tenantId === "string" ? body.tenantId : undefined;
        if (status === "succeeded" || status === "failed") {
          this.scene.ledger.followed.push({ operation, slug, status, tenantId });
          return;
        }
      } else if (typeof answer === "object" && answer.status !== 503) {
        status = `answered with ${answer.status}`;
        break;
      }
      await delay(300);
    }
    this.scene.ledger.followed.push({ operation, slug, status });
  }

  private async read(instance: number): Promise<void> {
    const reads = [
      ["/healthz", [200]],
      ["/readyz", [200]],
      ["/api/tenant?limit=100", [200]],
      ["/api/operations/00000000-0000-4000-8000-000000000000", [404]],
      ["/nothing", [404]],
    ] as const;
    for (const [path, right] of reads) {
      const sent = { method: "GET", path, token: this.tokens.reader } as const;
      const { outcome } = await send(this.addresses(instance), sent);
      this.scene.ledger.reads.push({ what: "read", right, outcome });
    }
  }

  private addresses(first: number): string[] {
    return addresses(this.scene.instances, first);
  }
}

const later = { Prefer: "respond-async" };
