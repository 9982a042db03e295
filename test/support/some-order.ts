import { Met, Queue } from "./order-search";
import { looksSame, nextLife, slugTaken, type Life } from "./tenant-life";
import type { Shown, Told } from "./told";
import { unheard } from "./unheard";

/**
 * Whether there is an order in which the requests, one after the other, get these answers and end as the
 * tenant was found: an order in which none comes before one that was answered before it was sent. So the last
 * acknowledged write wins, and of those that nobody waited for, any may have been done or not.
 *
 * This is the search of Wing and Gong for linearizable histories. Orders in which fewer of the requests without an
 * answer are done are tried first: what they cannot reach from somewhere, more of them used up before cannot either.
 *
 * @param end What was found at the end: `purged` where the tenant was not there, undefined where nobody looked.
 * @throws Error when it gives up, having found neither an order nor that there is none.
 */
export function isSomeOrder(
  first: Life,
  told: readonly Told[],
  end: Shown | "purged" | undefined,
): boolean {
  const events = [...told].sort((one, other) => one.sentAt - other.sentAt);
  const known = events.filter(({ answer }) => answer !== "unknown");
  const wishes = unheard(first, events, end);
  const [done, used] = [known.map(() => false), wishes.map(() => 0)];
  const open = new Queue({ life: first, done, used });
  const met = new Met();
  for (let place = open.take(); place !== undefined; place = open.take()) {
    const { life, used } = place;
    const done = settle(life, known, place.done);
    if (!met.isNew({ life, done, used })) continue;
    if (done.every(Boolean) && isEnd(life, end)) return true;
    for (const index of ready(known, done)) {
      const next = after(life, known[index]);
      if (next !== undefined) open.add({ life: next, done: done.with(index, true), used });
    }
    const until = firstEnd(known, done);
    for (const [index, twins] of wishes.entries()) {
      // Of those that ask for the same, the first one could have come before each other.
      const wish = twins[used[index] ?? 0];
      if (wish === undefined || wish.sentAt > until) continue;
      const next = after(life, wish);
      // One that changes nothing may as well not have been done.
      if (next === undefined || next === life) continue;
      open.add({ life: next, done, used: used.with(index, (used[index] ?? 0) + 1) });
    }
  }
  return false;
}

function isEnd(life: Life, end: Shown | "purged" | undefined): boolean {
  if (end === undefined) return true;
  return end === "purged" ? life.status === end : looksSame(life, end);
}

/**
 * Takes the looks and refusals that can come now: to take them later would be no better. What was done and changes
 * nothing now is not taken here: later it may be needed for its effect.
 */
function settle(life: Life, known: readonly Told[], before: readonly boolean[]): boolean[] {
  const done = [...before];
  for (;;) {
    const index = ready(known, done).find(
      (each) => isPure(known[each]) && after(life, known[each]) === life,
    );
    if (index === undefined) return done;
    done[index] = true;
  }
}

const isPure = (told: Told | undefined) =>
  told?.verb === "view" || told?.answer === "refused" || told?.answer === "gone";

/** Those that no other one comes before for certain. */
function ready(known: readonly Told[], done: readonly boolean[]): number[] {
  const until = firstEnd(known, done);
  return known.flatMap(({ sentAt }, index) => (done[index] || sentAt > until ? [] : [index]));
}

/** When the first of those that are left was answered: what was sent later comes after it. */
function firstEnd(known: readonly Told[], done: readonly boolean[]): number {
  return Math.min(...known.flatMap(({ endedAt }, index) => (done[index] ? [] : [endedAt])));
}

/** The tenant after the request; undefined where it could not have been answered so. */
function after(life: Life, told: Told | undefined): Life | undefined {
  if (told === undefined) return undefined;
  const { verb, body, answer, shown } = told;
  if (verb === "view") return agrees(life, answer, shown) ? life : undefined;
  const next = nextLife(life, verb, body);
  switch (answer) {
    case "gone":
      return next === 404 ? life : undefined;
    case "refused":
      return next === 409 || slugTaken(life, next) !== undefined ? life : undefined;
    case "done":
    case "unknown":
      if (typeof next === "number") return undefined;
      return JSON.stringify(next) === JSON.stringify(life) ? life : next;
  }
}

function agrees(life: Life, answer: Told["answer"], shown: Told["shown"]): boolean {
  if (answer === "gone" || shown === undefined) return life.status === "purged";
  // On the way to being restored.
  if (shown.status === "provisioning") return life.status !== "purged";
  return life.status === shown.status && life.name === shown.name && life.slug === shown.slug;
}
