import { isSomeOrder } from "../support/some-order";
import { newLife } from "../support/tenant-life";
import type { Told } from "../support/told";
import { checkEach, groupBy, type Check } from "./check";
import type { Facts } from "./facts";
import { holdsOf, isBirth } from "./histories";
import { nameOf, type Ledger, type VerbAsked } from "./ledger";

/** How much later than its time in the database a change may be seen, in ms: a transaction has that of its beginning. */
const LATE_MS = 15_000;

/** Holds what the callers of verbs were told against each other, and against what there is. */
export function checkLives({ verbs, asked }: Ledger, facts: Facts): Check[] {
  const good = verbs.filter(({ refusal }) => refusal === undefined);
  const bad = verbs.filter(({ refusal }) => refusal !== undefined);
  const busy = good.filter(({ answer }) => answer.code === "TENANT_BUSY");
  const operationOf = new Map(facts.operations.map((operation) => [operation.id, operation]));
  const holds = groupBy(holdsOf(facts), ({ slug }) => slug);
  const refusedForSlug = [
    ...good.map((ask) => ({ ...ask, message: String(ask.answer.message) })),
    ...asked,
  ].flatMap(({ message = "", sentAt, endedAt, key }) => {
    const [, slug] = /^The slug (\S+) is (taken|being set up)/.exec(message) ?? [];
    // The answer that a key stands for is given again.
    const twins = [...verbs, ...asked].filter((ask) => key !== undefined && ask.key === key);
    const since = Math.min(sentAt, ...twins.map((ask) => ask.sentAt));
    return slug === undefined ? [] : [{ slug, since, endedAt }];
  });
  return [
    checkEach("a good verb has no other answer", good, (ask) => {
      return !rightForGood.has(nameOf(ask.outcome)) && lineOf(ask);
    }),
    checkEach("a bad verb is refused as it must be", bad, (ask) => {
      const right = [String(ask.refusal), "503", "not sent", "no answer"];
      return !right.includes(nameOf(ask.outcome)) && lineOf(ask);
    }),
    checkEach("503 of a verb: says when to come back", good, ({ outcome, ...ask }) => {
      if (typeof outcome !== "object" || outcome.status !== 503) return false;
      return !outcome.retryAfter && lineOf({ ...ask, outcome });
    }),
    checkEach("202 of a verb: its operation is there", good, (ask) => {
      if (nameOf(ask.outcome) !== "202") return false;
      const { kind, tenantId } = operationOf.get(String(ask.answer.id)) ?? {};
      return !(kind === ask.verb && tenantId === ask.tenantId) && lineOf(ask);
    }),
    checkEach("409: another operation is under way, which is named", busy, (ask) => {
      const [, id = ""] = /^Operation (\S+) \(\w+\) of/.exec(String(ask.answer.message)) ?? [];
      const other = operationOf.get(id);
      const wasAlive =
        other?.tenantId === ask.tenantId &&
        other.createdAt - LATE_MS <= ask.endedAt &&
        other.appliedAt + LATE_MS >= ask.sentAt;
      return !wasAlive && `${lineOf(ask)}: ${String(ask.answer.message)}`;
    }),
    checkEach("409: somebody else had the slug", refusedForSlug, ({ slug, since, endedAt }) => {
      const wasHeld = (holds.get(slug) ?? []).some(
        ({ accepted, free }) => accepted - LATE_MS <= endedAt && free + LATE_MS >= since,
      );
      return !wasHeld && `${slug} was free`;
    }),
    checkEach(
      "a verb's key stands for one operation",
      groupBy(good, ({ key }) => key ?? ""),
      ([key, asks]) => key !== "" && faultOfKey(key, asks, facts),
    ),
    checkEach(
      "the answers about a tenant, and its end, are those of some order",
      groupBy(good, ({ tenantId }) => tenantId),
      ([id, asks]) => faultOfLife(id, asks, facts),
    ),
  ];
}

/** 503 and no answer are right while something is down; it is down now and then all the time. */
const rightForGood = new Set([
  ...["200", "202", "204", "404", "409", "503", "hung up", "not sent", "no answer"],
]);

const isDone = ({ outcome }: VerbAsked) => ["200", "202", "204"].includes(nameOf(outcome));

function lineOf({ what, verb, body, tenantId, outcome, refusal }: VerbAsked): string {
  const wrong = refusal === undefined ? "" : `, not ${refusal}`;
  return `${tenantId} (${what}): ${verb} ${JSON.stringify(body)}: ${nameOf(outcome)}${wrong}`;
}

function faultOfKey(key: string, asks: readonly VerbAsked[], facts: Facts): string | undefined {
  const rows = facts.keys.filter((row) => row.key === key);
  if (rows.length > 1) return `${key} is there ${rows.length} times`;
  const accepted = asks.filter(({ outcome }) => nameOf(outcome) === "202");
  const other = accepted.find(({ answer }) => answer.id !== rows[0]?.operationId);
  if (other) return `${key} stands for ${String(rows[0]?.operationId)}, and ${lineOf(other)}`;
  const refused = asks.find(({ answer }) => answer.code === "TENANT_CONFLICT");
  if (asks.some(isDone) && refused) return `${key} was accepted, and ${lineOf(refused)}`;
  return undefined;
}

function faultOfLife(id: string, asks: readonly VerbAsked[], facts: Facts): string | undefined {
  const setUp = facts.operations.find(({ kind, tenantId }) => isBirth(kind) && tenantId === id);
  if (setUp === undefined) return `${id} was never set up`;
  const first = newLife(String(setUp.request.name), setUp.slug);
  const is = facts.tenants.find((tenant) => tenant.id === id);
  const told = toldBy(asks);
  let why = "";
  try {
    if (isSomeOrder(first, told, is ?? "purged")) return undefined;
  } catch (error) {
    // All else is still to be told.
    why = `: ${error instanceof Error ? error.message : String(error)}`;
  }
  const start = Math.min(...told.map(({ sentAt }) => sentAt));
  const lines = told.map((each) => {
    const [from, to] = [each.sentAt - start, each.endedAt - start].map(Math.round);
    const shown = each.shown === undefined ? "" : JSON.stringify(each.shown);
    return `    ${from}–${to} ${each.verb} ${JSON.stringify(each.body)}: ${each.answer} ${shown}`;
  });
  const found = is === undefined ? "not there" : `${is.status} ${is.slug} (${is.name})`;
  return [`${id}, set up as ${first.slug} (${first.name}), is ${found}${why}`, ...lines].join("\n");
}

/** What was told of a tenant; what was sent with one key was done once, or not at all. */
function toldBy(all: readonly VerbAsked[]): Told[] {
  const asks = all.filter(({ outcome }) => outcome !== "not sent");
  const alone = asks.filter(({ key }) => key === undefined);
  const keyed = groupBy(
    asks.filter(({ key }) => key !== undefined),
    ({ key }) => key ?? "",
  );
  const told = [...alone.map((ask) => [ask]), ...keyed.values()].flatMap(toldOnce);
  return [...told, ...asks.flatMap(shownBy)];
}

function toldOnce(twins: readonly VerbAsked[]): Told[] {
  const [first] = twins;
  if (first === undefined || first.verb === "view") return [];
  const sentAt = Math.min(...twins.map((ask) => ask.sentAt));
  const told = (answer: Told["answer"], those: readonly VerbAsked[]): Told[] => {
    const endedAt = Math.min(...those.map((ask) => ask.endedAt));
    return [{ sentAt, endedAt, verb: first.verb, body: first.body, answer }];
  };
  const done = twins.filter(isDone);
  if (done.length > 0) return told("done", done);
  const refused = twins.filter(({ answer }) => answer.code === "TENANT_CONFLICT");
  if (refused.length > 0) return told("refused", refused);
  const without = twins.filter(({ outcome }) => !["404", "409"].includes(nameOf(outcome)));
  if (without.length > 0) return told("unknown", []);
  const gone = twins.filter(({ outcome }) => nameOf(outcome) === "404");
  return gone.length > 0 ? told("gone", gone) : [];
}

/** The tenant that the body of an answer shows. */
function shownBy({ sentAt, endedAt, outcome, verb, answer }: VerbAsked): Told[] {
  const look = { sentAt, endedAt, verb: "view", body: {} } as const;
  if (nameOf(outcome) === "404" && verb === "view") return [{ ...look, answer: "gone" }];
  if (nameOf(outcome) !== "200") return [];
  const { status, name, slug } = answer;
  const shown = { status: String(status), name: String(name), slug: String(slug) };
  return [{ ...look, answer: "done", shown }];
}
