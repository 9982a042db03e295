import type { Step } from "../../service/operations/operation";
import { barOf, type Bar, type Marks } from "../measure/phases";
import type { Service, SetUp } from "./service";
import { sql } from "../measure/sql";

interface Row {
  readonly slug: string;
  /** In ms since 1970, as the others. */
  readonly created: number;
  readonly started: number;
  readonly finished: number;
  readonly steps: readonly Step[];
}

/**
 * Where the time of the service's set-ups went, by its own rows of operations: until the answer, and
 * what it did after that.
 *
 * A step lasts from the end of what was before it to its own end.
 */
export async function serviceBars(
  { databaseUrl }: Service,
  setUps: readonly SetUp[],
): Promise<Bar[]> {
  const rows = await sql<Row>(
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
