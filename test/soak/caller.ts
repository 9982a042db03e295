import { setTimeout as delay } from "node:timers/promises";
import { addresses, send, sendHalf, tokensOf, type Received, type Sent } from "./client";
import { bodyOf, faultsOf } from "./faults";
import { follow } from "./follow";
import { exportAndImport } from "./importer";
import { clockMs, nameOf, type Asked, type Wanted } from "./ledger";
import type { Action } from "./plan";
import type { Scene } from "./scene";
import { VerbCaller } from "./verb-caller";

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

type Copying = Extract<Action, { does: "export and import" }>;

/** Somebody with a token who asks for tenants. */
class Caller {
  private readonly tokens: ReturnType<typeof tokensOf>;
  private readonly verbs: VerbCaller;

  constructor(
    name: string,
    private readonly scene: Scene,
  ) {
    this.tokens = tokensOf(scene.secret, name);
    this.verbs = new VerbCaller(scene, this.tokens);
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
        const { slug } = action.wanted;
        const asker = { token: this.tokens.asker, instance: action.instance };
        await follow(this.scene, outcome, { ...asker, slug, events: action.events });
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
        return;
      case "export and import":
        await this.copy(action);
        return;
      default:
        await this.verbs.does(action, action.instance);
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
    const asked: Asked = {
      ...{ what, wanted, key, refusal, sentAt: clockMs(), endedAt: Infinity },
      outcome: "timed out",
    };
    this.scene.ledger.asked.push(asked);
    const received = await send(this.addresses(instance), {
      path: "/api/tenant/setup",
      token: this.tokens.asker,
      body: bodyOf(wanted),
      ...more,
    });
    asked.outcome = received.outcome;
    asked.endedAt = clockMs();
    const { message, id, slug } = received.body;
    if (typeof message === "string") asked.message = message;
    if (nameOf(received.outcome) === "201") this.scene.ledger.learn(id, slug);
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

  private async copy({ target, planned, instance }: Copying): Promise<void> {
    const { known } = this.scene.ledger;
    const tenant = known[target % Math.max(known.length, 1)];
    if (tenant === undefined) return;
    const how = { tenantId: tenant.id, token: this.tokens.asker, instance };
    await exportAndImport(this.scene, how, planned);
  }

  private addresses(first: number): string[] {
    return addresses(this.scene.instances, first);
  }
}

const later = { Prefer: "respond-async" };
