import { checkEach, type Check } from "./check";
import type { Facts } from "./facts";
import type { Ledger } from "./ledger";

/** Holds what became of archives against what there is. */
export function checkArchives({ exports, imports }: Ledger, { operations }: Facts): Check[] {
  const made = operations.filter(({ kind }) => kind === "import");
  return [
    checkEach("an archive that came whole can be read", exports, ({ tenantId, fault }) => {
      return fault !== undefined && `the export of ${tenantId}: ${fault}`;
    }),
    checkEach("an import made its tenant", imports, ({ slug, name, id, outcome }) => {
      if (outcome !== "made") return `${slug}: ${outcome}`;
      const right = made.filter((operation) => operation.slug === slug);
      const isIts = right.length === 1 && right[0]?.tenantId === id;
      const fits = isIts && right[0]?.request.name === name;
      return !fits && `${slug}: ${id ?? "no id"}, and ${right.length} operations`;
    }),
  ];
}
