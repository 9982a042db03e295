import { unasked } from "../../../service/pulumi/outcomes";

test("a run that saw all that was declared, and deleted nothing, did as it was asked to", () => {
  const changes = { create: 3, update: 2, same: 5 };
  expect(unasked(changes, 10, 0)).toEqual([]);
});

test("a run that deletes is asked whether it may", () => {
  expect(unasked({ delete: 6, same: 1 }, 1, 0)).toEqual([
    "the run deleted 6 resources, which nobody asked for",
  ]);
  expect(unasked({ delete: 6, same: 1 }, 1, 6)).toEqual([]);
  expect(unasked({ delete: 7, same: 1 }, 1, 6)).toEqual([
    "the run deleted 1 resources, which nobody asked for",
  ]);
});

test("what is replaced is deleted too", () => {
  expect(unasked({ replace: 1, same: 9 }, 10, 0)).toEqual([
    "the run deleted 1 resources, which nobody asked for",
  ]);
  expect(unasked({ replace: 1, same: 9 }, 10, 1)).toEqual([]);
});

test.each([
  ["fewer", { same: 1 }],
  ["more", { same: 11 }],
])("a run that saw %s resources than were declared has not succeeded", (_, changes) => {
  expect(unasked(changes, 10, 10)).toEqual([
    `the program declared 10 resources, and the engine saw ${changes.same}`,
  ]);
});

test("a run of which the engine tells nothing has not succeeded", () => {
  expect(unasked(undefined, 10, 10)).toEqual(["the engine did not report what the run did"]);
});
