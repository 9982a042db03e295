import fc from "fast-check";
import { makeCursor, readCursor, textPlace, timePlace } from "../../../service/http/cursor";
import { InvalidRequestError } from "../../../service/http/errors";

const list = { status: ["active"], sort: "name", limit: 20 };
const id = "660e8400-e29b-41d4-a716-446655440000";

/** What is wrong with a cursor; undefined where it is taken. */
function faultOf(cursor: string, place = textPlace as typeof textPlace | typeof timePlace) {
  try {
    readCursor(list, place, cursor);
    return undefined;
  } catch (error) {
    if (error instanceof InvalidRequestError) return error.options.details?.[0];
    throw error;
  }
}

const none = { path: "cursor", message: "is none that a list has given" };
const another = {
  path: "cursor",
  message: "is of another list: send it with the same filters, sort and limit",
};

test("a cursor brings back any place, and can stand in an address as it is", () => {
  const key = fc.string({ unit: "grapheme" }).filter((text) => !text.includes("\0"));
  fc.assert(
    fc.property(key, fc.uuid(), (key, id) => {
      const cursor = makeCursor(list, { key, id });
      expect(cursor).toMatch(/^[\w-]+$/);
      expect(readCursor(list, textPlace, cursor)).toEqual({ key, id });
    }),
  );
});

test("one of another list is refused as that", () => {
  for (const changed of [{ sort: "slug" }, { limit: 21 }, { status: [] }, { q: "a" }]) {
    expect(faultOf(makeCursor({ ...list, ...changed }, { key: "a", id }))).toEqual(another);
  }
});

test("one that was put together by somebody else is refused, whatever is in it", () => {
  const places: unknown[] = [
    ...[null, [], {}, "x", { key: "a" }, { id }, { key: "a", id, more: 1 }, { key: 1, id }],
    ...[
      { key: "a", id: "1 or 1=1" },
      { key: "a\0b", id },
      { key: ["a"], id },
    ],
  ];
  for (const place of places) expect(faultOf(makeCursor(list, place as object))).toEqual(none);
  for (const key of ["", "now", "1e3", "9".repeat(17), "1; select 1", " 1"]) {
    expect(faultOf(makeCursor(list, { key, id }), timePlace)).toEqual(none);
  }
  const text = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.base64String(),
    fc.json().map((json) => Buffer.from(json).toString("base64url")),
  );
  fc.assert(fc.property(text, (cursor) => expect(faultOf(cursor)).toEqual(none)));
});
