/** A place in an ordered list: what an entry is ordered by, and its id, which tells equal ones apart. */
export interface Place {
  readonly key: string;
  readonly id: string;
}

/** Some entries of a list, one after the other. */
export interface Page<Entry> {
  readonly entries: readonly Entry[];
  /** The place of the last entry, where others come after it. */
  readonly next: Place | undefined;
}

/**
 * Makes a page of rows that were read with one more than the page may have: the one too many tells that the
 * page is not the last.
 *
 * @param limit How many entries the page has at most.
 */
export function pageOf<Entry extends object>(
  rows: readonly (Entry & Place)[],
  limit: number,
): Page<Entry> {
  const shown = rows.slice(0, limit);
  const last = rows.length > limit ? shown.at(-1) : undefined;
  return {
    entries: shown.map((row) => {
      const entry: Entry & { key?: string } = { ...row };
      delete entry.key;
      return entry;
    }),
    next: last && { key: last.key, id: last.id },
  };
}

/** The values of a statement's parameters, numbered as the statement's text is put together. */
export class Parameters {
  readonly values: unknown[] = [];

  /** Takes a value, and gives the SQL that stands for it: `$1` for the first. */
  readonly add = (value: unknown): string => `$${this.values.push(value)}`;
}

/**
 * SQL of a time's place in an order, as text: microseconds since 1970. A `Date` has only milliseconds, so of
 * two entries of one millisecond it could tell the wrong one to come next.
 */
export function microseconds(time: string): string {
  return `(extract(epoch from ${time}) * 1000000)::bigint::text`;
}

/** SQL of the time that {@link microseconds} gave. */
export function timeOf(microseconds: string): string {
  return `(timestamptz 'epoch' + ${microseconds}::bigint * interval '1 microsecond')`;
}
