import { type Properties } from "./properties";
import { withDefaults } from "./schema-inputs";

/** How a declared schema differs from the one in the state. */
export interface SchemaDiff {
  /** The properties that differ, in alphabetical order. */
  readonly changed: readonly string[];
  /** Those of them that cannot be changed in place: the schema is replaced by another one. */
  readonly replacing: readonly string[];
  /** Whether the old schema must go first, because the new one has its name. */
  readonly deleteFirst: boolean;
}

const COMPARED = ["database", "dropCascade", "ifNotExists", "name", "owner"];

/** A schema cannot move to another database. */
export const REPLACING = ["database"];

/**
 * Compares a state with checked inputs. An owner or a database that the inputs do not name
 * stays as it is.
 *
 * @param ignored properties whose change is overlooked.
 */
export function diffSchema(
  state: Properties,
  news: Properties,
  ignored: readonly string[],
): SchemaDiff {
  const before = withDefaults(state);
  const after = withDefaults(news);
  const changed = COMPARED.filter(
    (key) => after[key] !== undefined && after[key] !== before[key] && !ignored.includes(key),
  );
  const replacing = changed.filter((key) => REPLACING.includes(key));
  return { changed, replacing, deleteFirst: replacing.length > 0 && !changed.includes("name") };
}
