/** What dbmate applies of a migration. */
export interface MigrationParts {
  /** The text that is applied, without blank lines around it. */
  readonly up: string;
  /** The line of the file in which that begins, from 1. */
  readonly upLine: number;
  /** Whether it runs in one transaction. */
  readonly inTransaction: boolean;
}

/**
 * Finds the part of a migration between `migrate:up` and `migrate:down`. dbmate's own rules:
 * https://github.com/amacneil/dbmate#creating-migrations
 */
export function partsOf(text: string): MigrationParts {
  const [whole = "", options = "", body = ""] =
    /^--\s*migrate:up(.*?)$([^]*?)(?:^--\s*migrate:down|(?![^]))/m.exec(text) ?? [];
  const up = body.trim();
  const begin = text.indexOf(whole) + whole.indexOf(body) + body.indexOf(up);
  return {
    up,
    upLine: text.slice(0, begin).split("\n").length,
    inTransaction: !/transaction:\s*false/.test(options),
  };
}
