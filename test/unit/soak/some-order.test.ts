import { isSomeOrder } from "../../support/some-order";
import { newLife, type VerbBody, type VerbName } from "../../support/tenant-life";
import type { Told } from "../../support/told";

const first = newLife("Acme Corp", "acme");

/** A request that was sent at a time, and answered at another. */
function told(
  [sentAt, endedAt]: readonly [number, number],
  verb: VerbName,
  answer: Told["answer"] = "done",
  body: VerbBody = {},
): Told {
  return { sentAt, endedAt, verb, body, answer };
}

function view([sentAt, endedAt]: readonly [number, number], status: string, slug = "acme"): Told {
  const shown = { status, name: "Acme Corp", slug };
  return { sentAt, endedAt, verb: "view", body: {}, answer: "done", shown };
}

const ends = (status: string, name = "Acme Corp", slug = "acme") =>
  status === "purged" ? status : { status, name, slug };

const never = Infinity;

test.each<[string, Told[], string]>([
  ["nothing was asked", [], "active"],
  [
    "the last of two that came one after the other wins",
    [told([1, 2], "suspend"), told([3, 4], "resume")],
    "active",
  ],
  ["of two at once either wins", [told([1, 4], "suspend"), told([2, 3], "resume")], "suspended"],
  ["of two at once either wins", [told([1, 4], "suspend"), told([2, 3], "resume")], "active"],
  ["what nobody waited for was done", [told([1, never], "suspend", "unknown")], "suspended"],
  ["what nobody waited for was not done", [told([1, never], "suspend", "unknown")], "active"],
  [
    "what nobody waited for was done late",
    [told([1, never], "suspend", "unknown"), view([5, 6], "active")],
    "suspended",
  ],
  [
    "a refusal for a status that it had meanwhile",
    [told([1, 9], "suspend", "refused"), told([2, 3], "delete"), told([4, 5], "restore")],
    "active",
  ],
  [
    "a deletion that could have come when it had nothing to do came later",
    [
      told([1, 3], "delete"),
      told([2, 6], "restore"),
      told([4, 8], "delete"),
      view([5, 6], "active"),
    ],
    "deleted",
  ],
  [
    "a refusal while nobody declares it",
    [told([1, 9], "suspend", "refused"), told([2, 3], "release"), told([4, 5], "adopt")],
    "active",
  ],
  ["a refusal for a slug", [told([1, 2], "change", "refused", { slug: "other" })], "active"],
  [
    "a restored tenant has the status that it had",
    [told([1, 2], "suspend"), told([3, 4], "delete"), told([5, 6], "restore")],
    "suspended",
  ],
  [
    "a purged tenant is gone",
    [
      told([1, 2], "delete"),
      told([3, 6], "purge", "done", { slug: "acme" }),
      view([4, 5], "deleted"),
      told([7, 8], "resume", "gone"),
    ],
    "purged",
  ],
])("some order agrees: %s", (_, events, status) => {
  expect(isSomeOrder(first, events, ends(status))).toBe(true);
});

test.each<[string, Told[], string]>([
  ["nobody asked for it", [], "suspended"],
  ["an acknowledged verb was lost", [told([1, 2], "suspend")], "active"],
  ["an older verb won", [told([1, 2], "suspend"), told([3, 4], "resume")], "suspended"],
  ["a verb was refused that fits", [told([1, 2], "suspend", "refused")], "active"],
  ["a verb was done that does not fit", [told([1, 2], "restore")], "active"],
  [
    "a view after it showed the tenant as before",
    [told([1, 2], "suspend"), view([3, 4], "active")],
    "suspended",
  ],
  [
    "two views saw it go forth and back",
    [told([1, 9], "suspend"), view([2, 3], "suspended"), view([4, 5], "active")],
    "suspended",
  ],
  [
    "it was purged by another slug",
    [told([1, 2], "delete"), told([3, 4], "purge", "done", { slug: "other" })],
    "purged",
  ],
  ["it is gone, and nobody purged it", [told([1, 2], "suspend", "gone")], "active"],
])("no order agrees: %s", (_, events, status) => {
  expect(isSomeOrder(first, events, ends(status))).toBe(false);
});

test("thirty requests at once, of which nobody heard, are searched in a moment", () => {
  const many = Array.from({ length: 30 }, (_, index) =>
    told([1, never], index % 2 === 0 ? "suspend" : "resume", "unknown"),
  );
  expect(isSomeOrder(first, many.slice(0, 12), ends("purged"))).toBe(false);
  expect(isSomeOrder(first, many, ends("suspended"))).toBe(true);
});

test("a hundred requests, each for something else, of which nobody heard, are searched in a moment", () => {
  const many = Array.from({ length: 25 }, (_, index) => [
    told([index, never], "change", "unknown", { name: `Name ${index}` }),
    told([index, never], "change", "unknown", { slug: `slug-${index}` }),
    told([index, never], index % 2 === 0 ? "delete" : "restore", "unknown"),
    told([index, never], index % 2 === 0 ? "suspend" : "resume", "unknown"),
  ]).flat();
  const seen = [view([30, 31], "suspended", "slug-7"), view([32, 33], "deleted", "slug-9")];
  const all = [...many, ...seen];
  expect(isSomeOrder(first, all, ends("active", "Name 4", "slug-9"))).toBe(true);
  expect(isSomeOrder(first, all, ends("active", "Name 4", "slug-9000"))).toBe(false);
  // Nobody brings back a tenant that was seen to be gone.
  expect(isSomeOrder(first, [...all, told([34, 35], "resume", "gone")], undefined)).toBe(false);
});
