/** What the doctor found of one piece. */
export interface Finding {
  readonly piece: string;
  readonly version?: string | undefined;
  /** Where it came from; nothing when it is missing. */
  readonly origin?: string | undefined;
  /** How long the trial took. */
  readonly milliseconds?: number;
  /** Why it does not work and what to do; nothing when it works. */
  readonly fault?: string | undefined;
  /** Whole lines: which other ones are there, and why they are not used. */
  readonly notUsed?: readonly string[];
}

/** Tries a piece and times it: `trial` throws when it does not work. */
export async function finding(
  known: Pick<Finding, "piece" | "version" | "origin">,
  advice: string,
  trial: () => Promise<Partial<Finding>>,
): Promise<Finding> {
  const began = performance.now();
  try {
    const learnt = await trial();
    return { ...known, ...learnt, milliseconds: performance.now() - began };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { ...known, fault: `${reason}. ${advice}` };
  }
}
