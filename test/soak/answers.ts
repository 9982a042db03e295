import { checkEach, groupBy, type Check } from "./check";
import type { Facts } from "./facts";
import { nameOf, type Asked, type Ledger } from "./ledger";

/** Holds what callers were told against what there is. */
export function checkAnswers(ledger: Ledger, facts: Facts): Check[] {
  const { asked, followed, reads } = ledger;
  const good = asked.filter(({ refusal }) => refusal === undefined);
  const bad = asked.filter(({ refusal }) => refusal !== undefined);
  const operationOf = new Map(facts.operations.map((operation) => [operation.id, operation]));
  const setUps = facts.operations.filter(({ kind }) => kind === "setup");
  const setUpOf = new Map(setUps.map((operation) => [operation.tenantId, operation]));
  const made = new Set(setUps.map(({ slug }) => slug));
  const goodSlugs = new Set(good.map(({ wanted }) => wanted.slug));
  return [
    checkEach("201: the tenant was set up", withStatus(good, 201), (ask) => {
      const { slug, request, status } = setUpOf.get(idOf(ask) ?? "") ?? {};
      const right = slug === ask.wanted.slug && request?.name === ask.wanted.name;
      return !(right && status === "succeeded") && lineOf(ask);
    }),
    checkEach("202: its operation is there", withStatus(good, 202), (ask) => {
      return operationOf.get(idOf(ask) ?? "")?.slug !== ask.wanted.slug && lineOf(ask);
    }),
    checkEach("409: says that the slug is taken", withStatus(good, 409), (ask) => {
      const { slug } = ask.wanted;
      const right = [`The slug ${slug} is taken`, `The slug ${slug} is being set up already`];
      return !right.includes(ask.message ?? "") && `${lineOf(ask)}: ${ask.message ?? ""}`;
    }),
    checkEach("422: the key is another request's", withStatus(good, 422), (ask) => {
      const twins = good.filter(({ key }) => key !== undefined && key === ask.key);
      return twins.every(({ wanted }) => wanted.name === ask.wanted.name) && lineOf(ask);
    }),
    checkEach("503: says when to come back", withStatus(asked, 503), (ask) => {
      return !(typeof ask.outcome === "object" && ask.outcome.retryAfter) && lineOf(ask);
    }),
    checkEach("a good request has no other answer", good, (ask) => {
      return !rightForGood.has(nameOf(ask.outcome)) && lineOf(ask);
    }),
    checkEach("a bad request is refused as it must be", bad, (ask) => {
      const right = [String(ask.refusal), "503", "not sent", "no answer"];
      return !right.includes(nameOf(ask.outcome)) && lineOf(ask);
    }),
    checkEach("and makes nothing", bad, (ask) => {
      const { slug } = ask.wanted;
      return !goodSlugs.has(slug) && made.has(slug) && lineOf(ask);
    }),
    checkEach(
      "of all who asked, one was told that a tenant is theirs",
      groupBy(withStatus(good, 201), (ask) => idOf(ask) ?? ""),
      ([id, asks]) => {
        const all = [...new Set(asks.map(({ key, what }, index) => key ?? `${what} ${index}`))];
        return all.length > 1 && `${id}: ${all.join(" and ")}`;
      },
    ),
    checkEach(
      "a key stands for one set-up",
      groupBy(good, ({ key }) => key ?? ""),
      ([key, asks]) => key !== "" && faultOfKey(key, asks, facts),
    ),
    checkEach("an operation that was followed succeeded", followed, (seen) => {
      const right =
        seen.status === "succeeded" && operationOf.get(seen.operation)?.tenantId === seen.tenantId;
      return !right && `operation ${seen.operation} of ${seen.slug}: ${seen.status}`;
    }),
    checkEach("a read is answered rightly", reads, ({ what, right, outcome }) => {
      const is = nameOf(outcome);
      return (
        ![...right.map(String), "503", "not sent", "no answer"].includes(is) && `${what}: ${is}`
      );
    }),
  ];
}

/** 503 and no answer are right while something is down; it is down now and then all the time. */
const rightForGood = new Set([
  ...["201", "202", "409", "422", "503", "hung up", "not sent", "no answer"],
]);

function withStatus(asked: readonly Asked[], status: number): Asked[] {
  return asked.filter(({ outcome }) => typeof outcome === "object" && outcome.status === status);
}

function idOf({ outcome }: Asked): string | undefined {
  return typeof outcome === "object" ? outcome.id : undefined;
}

function lineOf({ what, wanted, outcome, refusal }: Asked): string {
  const wrong = refusal === undefined ? "" : `, not ${refusal}`;
  const id = typeof outcome === "object" && outcome.id !== undefined ? ` (${outcome.id})` : "";
  return `${wanted.slug} (${what}): ${nameOf(outcome)}${id}${wrong}`;
}

function faultOfKey(key: string, asks: readonly Asked[], facts: Facts): string | undefined {
  const rows = facts.keys.filter((row) => row.key === key);
  if (rows.length > 1) return `${key} is there ${rows.length} times`;
  const operation = facts.operations.find(({ id }) => id === rows[0]?.operationId);
  for (const ask of asks) {
    const right = { "201": operation?.tenantId, "202": operation?.id }[nameOf(ask.outcome)];
    if (["201", "202"].includes(nameOf(ask.outcome)) && idOf(ask) !== right) {
      return `${key} stands for ${operation?.id ?? "nothing"}, and ${lineOf(ask)}`;
    }
  }
  return undefined;
}
