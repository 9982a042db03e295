import * as library from "../../../provider/contract/errors";
import { errorCodes } from "../../../service/system/errors";
import { readDoc } from "../../support/docs";

/** The first two columns of the table under a heading of docs/errors.md. */
function rowsUnder(heading: string): string[][] {
  const section = readDoc("docs/errors.md")
    .split(/^## /m)
    .find((text) => text.startsWith(heading));
  const rows = section?.matchAll(/^\| `(\w+)`\s*\| `?(\w+)`?\s*\|/gm) ?? [];
  return [...rows].map(([, first = "", second = ""]) => [first, second]);
}

test("docs/errors.md has every code of the HTTP API, and no other", () => {
  expect(rowsUnder("Codes of the HTTP API").map(([code]) => code)).toEqual(errorCodes);
});

test("docs/errors.md has every error of the library with its code, and no other", () => {
  const errors = Object.values<unknown>(library).flatMap((value) => {
    if (typeof value !== "function" || !(value.prototype instanceof library.TenantError)) return [];
    const error = Reflect.construct(value, ["why"]) as library.TenantError;
    return [[error.name, error.code]];
  });
  expect(rowsUnder("Errors of the library").sort()).toEqual(errors.sort());
});
