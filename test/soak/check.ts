/** One thing that must hold, how often it was looked at, and where it does not hold. */
export interface Check {
  readonly what: string;
  readonly looked: number;
  /** Each a line that names what is wrong. */
  readonly faults: readonly string[];
}

/** Looks at each of the things. @param fault tells what is wrong with one; undefined when nothing is. */
export function checkEach<T>(
  what: string,
  things: Iterable<T>,
  fault: (thing: T) => string | undefined | false,
): Check {
  const all = [...things];
  const faults = all.map(fault).filter((said) => typeof said === "string");
  return { what, looked: all.length, faults };
}

/** The things by a name of theirs. */
export function groupBy<T>(things: Iterable<T>, name: (thing: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const thing of things) {
    const known = groups.get(name(thing));
    if (known === undefined) groups.set(name(thing), [thing]);
    else known.push(thing);
  }
  return groups;
}
