import { setTimeout as delay } from "node:timers/promises";
import { verbRequest } from "../support/tenant-life";
import { addresses, send, type Sent, type tokensOf } from "./client";
import { follow } from "./follow";
import { clockMs, type Known, type VerbAsked } from "./ledger";
import type { Scene } from "./scene";
import { verbFaultsOf, type PlannedVerb, type VerbAction } from "./verb-plan";

/** Of how many tenants, the newest ones, most verbs are about: so the lives of those are long. */
const NEWEST = 6;

/** Sends verbs for the tenants that are known, and notes what came of them. */
export class VerbCaller {
  constructor(
    private readonly scene: Scene,
    private readonly tokens: ReturnType<typeof tokensOf>,
  ) {}

  /** Does one action; nothing while no tenant is known. */
  async does(action: VerbAction, instance: number): Promise<void> {
    const known = this.target(action.target);
    // As it is known now: what is sent twice with a key must be the same.
    const tenant = known && { ...known };
    if (tenant === undefined) return;
    const ask = (planned: PlannedVerb, more: Partial<Sent> = {}, where = instance) =>
      this.ask(action.does, tenant, planned, where, more);
    switch (action.does) {
      case "send a verb":
        await ask(action.planned);
        return;
      case "send a verb and follow it":
        await ask(action.planned, { headers: { Prefer: "respond-async" } });
        return;
      case "hang up on a verb":
        await ask(action.planned, { hangUpAfter: action.after });
        return;
      case "send a verb with a key": {
        const headers = { "Idempotency-Key": action.key };
        const first = ask(action.planned, { headers });
        const others = action.pauses.map(async (pause, index) => {
          await delay(pause);
          await ask(action.planned, { headers }, index % 2);
        });
        await Promise.all([first, ...others]);
        return;
      }
      case "send verbs at once":
        await Promise.all(action.many.map((planned, index) => ask(planned, {}, index % 2)));
        return;
      case "send a verb badly":
        await this.askBadly(tenant, instance, action.fault);
    }
  }

  private target(number: number): Known | undefined {
    const { known } = this.scene.ledger;
    const among = number % 5 === 0 ? known : known.slice(-NEWEST);
    return among[Math.floor(number / 5) % Math.max(among.length, 1)];
  }

  private async ask(
    what: string,
    { id: tenantId, slug }: Known,
    { verb, body: planned }: PlannedVerb,
    instance: number,
    more: Partial<Sent>,
  ): Promise<void> {
    const { ledger } = this.scene;
    const body = verb === "purge" ? { slug, ...planned } : planned;
    const asked: VerbAsked = {
      ...{ what, tenantId, verb, body, key: more.headers?.["Idempotency-Key"] },
      ...{ sentAt: clockMs(), endedAt: Infinity, outcome: "timed out", answer: {} },
    };
    ledger.verbs.push(asked);
    const isView = verb === "view";
    const received = await send(addresses(this.scene.instances, instance), {
      ...(isView
        ? { method: "GET", path: `/api/tenant/${tenantId}`, token: this.tokens.reader }
        : { ...verbRequest(tenantId, verb, body), token: this.tokens.asker }),
      ...more,
    });
    const { outcome } = received;
    Object.assign(asked, { outcome, answer: received.body });
    const status = typeof outcome === "object" ? outcome.status : 0;
    if (status === 200) ledger.learn(received.body.id, received.body.slug);
    if (status !== 202) {
      asked.endedAt = clockMs();
      return;
    }
    const { asker: token } = this.tokens;
    const ended = await follow(this.scene, outcome, {
      ...{ token, instance, slug, events: verb === "delete" },
    });
    if (ended) asked.endedAt = clockMs();
  }

  private async askBadly(tenant: Known, instance: number, which: number): Promise<void> {
    const faults = verbFaultsOf(tenant.id);
    const fault = faults[which % faults.length];
    if (fault === undefined) return;
    const { asker, setter, forged } = this.tokens;
    const token = { nobody: undefined, "a forger": forged, "a setter": setter, me: asker };
    const asked: VerbAsked = {
      ...{ what: `send a verb badly: ${fault.what}`, tenantId: tenant.id, verb: "view", body: {} },
      ...{ refusal: fault.refusal, sentAt: clockMs(), endedAt: Infinity },
      ...{ outcome: "timed out", answer: {} },
    };
    this.scene.ledger.verbs.push(asked);
    const { outcome, body } = await send(addresses(this.scene.instances, instance), {
      ...{ method: fault.method, path: `/api/tenant/${fault.path}`, body: fault.body },
      token: token[fault.as ?? "me"],
    });
    Object.assign(asked, { outcome, answer: body, endedAt: clockMs() });
  }
}
