import type { Step } from "../../service/operations/store/operation";
import { barOf, type Bar, type Marks } from "../measure/phases";
import type { Service, SetUp } from "./service";
import { sql } from "../measure/sql";

interface OperationRow {
  readonly slug: string;
  /** In ms since 1970, as the other two. */
  readonly created: number;
  readonly started: number;
  readonly finished: number;
  readonly steps: readonly Step[];
}

/**
 * The phases of the service's set-ups, from the times that it keeps in its table of operations: those until
 * the answer as one bar, and those after it as another. A phase lasts from the end of the one before it to
 * its own end.
 *
 * @throws Error when the service has no operation for one of them.
 */
export async function serviceBars(
  { databaseUrl }: Service,
  setUps: readonly SetUp[],
): Promise<Bar[]> {
  const rows = await sql<OperationRow>(
    databaseUrl,
    `select slug, steps, extract(epoch from created_at)::float8 * 1000 as created,
      extract(epoch from started_at)::float8 * 1000 as started,
      extract(epoch from finished_at)::float8 * 1000 as finished
    from public.operations where slug = any($1)`,
    [setUps.map(({ slug }) => slug)],
  );
  const runs = setUps.map(({ slug, sent, answered }) => {
    const row = rows.find((each) => each.slug === slug);
    if (row === undefined) throw new Error(`the service keeps no operation of ${slug}`);
    const [first] = row.steps;
    const untilAnswer: Marks = [
      ["start", sent],
      ["accept, hash", row.created],
      ["queue", row.started],
      ["until the first step", timeOf(first?.startedAt)],
      ...row.steps.map(({ name, endedAt }) => [name, timeOf(endedAt)] as const),
      ["answer", answered],
    ];
    const after: Marks = [
      ["answer", answered],
      ["state save, end of run", Math.max(answered, row.finished)],
    ];
    return { untilAnswer, after };
  });
  return [
    barOf(
      "service",
      runs.map(({ untilAnswer }) => untilAnswer),
    ),
    barOf(
      "after the answer",
      runs.map(({ after }) => after),
    ),
  ];
}

function timeOf(text: string | undefined): number {
  return text === undefined ? NaN : new Date(text).getTime();
}
