import type { Life } from "./tenant-life";

/** After so many states the search gives up. */
const MOST_STATES = 300_000;

/** How far an order has come. */
export interface Place {
  readonly life: Life;
  /** Which of the requests with an answer it has. */
  readonly done: readonly boolean[];
  /** How many of those without an answer, of each kind. */
  readonly used: readonly number[];
}

/** The places that are still to be looked at: first those with the fewest requests without an answer. */
export class Queue {
  private readonly places: Place[][] = [];

  constructor(first: Place) {
    this.add(first);
  }

  add(place: Place): void {
    const count = place.used.reduce((sum, each) => sum + each, 0);
    (this.places[count] ??= []).push(place);
  }

  take(): Place | undefined {
    return this.places.find((some) => some.length > 0)?.pop();
  }
}

/** The places that were looked at. */
export class Met {
  private readonly used = new Map<string, (readonly number[])[]>();
  private count = 0;

  /** Whether no place was met from which all can be reached that can be from this one. Then it is met now. */
  isNew({ life, done, used }: Place): boolean {
    const key = `${done.map(Number).join("")} ${JSON.stringify(life)}`;
    const before = this.used.get(key) ?? [];
    if (before.some((fewer) => fewer.every((each, index) => each <= (used[index] ?? 0)))) {
      return false;
    }
    if (this.count >= MOST_STATES) throw new Error(`no order was found in ${MOST_STATES} states`);
    this.count += 1;
    this.used.set(key, [...before, used]);
    return true;
  }
}
