/** What the doctor found of one piece. */
export interface Finding {
  readonly piece: string;
  readonly version?: string | undefined;
  /** Where it came from; undefined when it is missing. */
  readonly origin?: string | undefined;
  /** How long the trial took, in ms. */
  readonly durationMs?: number;
  /** Why it does not work, and what to do; undefined when it works. */
  readonly problem?: string | undefined;
  /** A line for each other piece of that name that was found: why it is not used. */
  readonly notUsed?: readonly string[];
}

/**
 * Tries a piece and measures how long that takes.
 *
 * @param known what is known of it before
 * @param advice what to do when it does not work: it becomes the end of the problem's text
 * @param trial throws when the piece does not work; returns what it learnt of it
 */
export async function finding(
  known: Pick<Finding, "piece" | "version" | "origin">,
  advice: string,
  trial: () => Promise<Partial<Finding>>,
): Promise<Finding> {
  const began = performance.now();
  try {
    const learnt = await trial();
    return { ...known, ...learnt, durationMs: performance.now() - began };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { ...known, problem: `${reason}. ${advice}` };
  }
}
