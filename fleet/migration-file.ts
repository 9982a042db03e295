/** What dbmate applies of a migration. */
export interface MigrationParts {
  /** The text that is applied, without blank lines around it. */
  readonly up: string;
  /** The line of the file in which that begins, from 1. */
  readonly upLine: number;
  /** Whether it runs in one transaction. */
  readonly inTransaction: boolean;
  /** The text that undoes it, without blank lines around it. */
  readonly down: string;
}

/**
 * Finds the parts of a migration after `migrate:up` and after `migrate:down`. dbmate's own rules:
 * https://github.com/amacneil/dbmate#creating-migrations
 */
export function partsOf(text: string): MigrationParts {
  const [whole = "", options = "", body = ""] =
    /^--\s*migrate:up(.*?)$([^]*?)(?:^--\s*migrate:down|(?![^]))/m.exec(text) ?? [];
  const up = body.trim();
  const [, down = ""] = /^--\s*migrate:down.*?$([^]*)/m.exec(text) ?? [];
  const begin = text.indexOf(whole) + whole.indexOf(body) + body.indexOf(up);
  return {
    up,
    upLine: text.slice(0, begin).split("\n").length,
    inTransaction: !/transaction:\s*false/.test(options),
    down: down.trim(),
  };
}

/** Whether an SQL text has a statement, and not comments alone. */
export function hasStatement(sql: string): boolean {
  return sql.replace(/--.*$|\/\*[^]*?\*\//gm, "").trim() !== "";
}
