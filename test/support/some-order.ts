import { nextLife, slugTaken, type Life, type VerbBody, type VerbName } from "./tenant-life";

/** After so many states the search gives up: each request without an answer doubles what is to be tried. */
const MOST_STATES = 300_000;

/** A request for one tenant, and what its caller was told. Times are in ms by one clock. */
export interface Told {
  readonly sentAt: number;
  /** Infinity where no answer came, or one that does not say what became of it. */
  readonly endedAt: number;
  readonly verb: VerbName | "view";
  readonly body: VerbBody;
  /**
   * `done`: it was accepted, or there was nothing to do. `refused`: 409 for the tenant's status, or for a slug.
   * `gone`: 404. `unknown`: nothing is promised. What a view has shown is in {@link Told.shown}.
   */
  readonly answer: "done" | "refused" | "gone" | "unknown";
  readonly shown?: { readonly status: string; readonly name: string; readonly slug: string };
}

/**
 * Whether there is an order in which the requests, one after the other, get these answers and end as the
 * tenant was found: an order in which none comes before one that was answered before it was sent. So the last
 * acknowledged write wins, and of those that nobody waited for, any may have been done or not.
 *
 * This is the search of Wing and Gong for linearizable histories, with states that were met before left out.
 *
 * @param isEnd Whether a tenant can be what was found at the end.
 * @throws Error when it gives up, having found neither an order nor that there is none.
 */
export function isSomeOrder(
  first: Life,
  told: readonly Told[],
  isEnd: (life: Life) => boolean,
): boolean {
  const events = [...told].sort((one, other) => one.sentAt - other.sentAt);
  const met = new Set<string>();

  function search(life: Life, before: readonly boolean[]): boolean {
    const done = settle(life, events, before);
    const key = `${done.map(Number).join("")} ${JSON.stringify(life)}`;
    if (met.has(key)) return false;
    if (met.size >= MOST_STATES) throw new Error(`no order was found in ${MOST_STATES} states`);
    met.add(key);
    const isOver = events.every(
      ({ answer }, index) => done[index] === true || answer === "unknown",
    );
    if (isOver && isEnd(life)) return true;
    const tried = new Set<string>();
    return ready(events, done).some((index) => {
      const event = events[index];
      const next = after(life, event);
      if (event?.answer === "unknown") {
        // One that changes nothing may as well not have been done, and of several that ask for the same thing, of
        // which each may come last, any stands for all.
        const asked = JSON.stringify([event.verb, event.body]);
        if (next === life || tried.has(asked)) return false;
        tried.add(asked);
      }
      return next !== undefined && search(next, done.with(index, true));
    });
  }

  return search(
    first,
    events.map(() => false),
  );
}

/**
 * Takes the looks and refusals that can come now: to take them later would be no better. What was done and changes
 * nothing now is not taken here: later it may be needed for its effect.
 */
function settle(life: Life, events: readonly Told[], before: readonly boolean[]): boolean[] {
  const done = [...before];
  for (;;) {
    const index = ready(events, done).find(
      (each) => isPure(events[each]) && after(life, events[each]) === life,
    );
    if (index === undefined) return done;
    done[index] = true;
  }
}

const isPure = (told: Told | undefined) =>
  told?.verb === "view" || told?.answer === "refused" || told?.answer === "gone";

/** Those that no other one comes before for certain. */
function ready(events: readonly Told[], done: readonly boolean[]): number[] {
  const pending = events.flatMap((event, index) => (done[index] ? [] : [{ event, index }]));
  const firstEnd = Math.min(...pending.map(({ event }) => event.endedAt));
  return pending.filter(({ event }) => event.sentAt <= firstEnd).map(({ index }) => index);
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
