import { createHash } from "node:crypto";
import { z } from "zod";
import { rules } from "../../provider/contract/rules";
import { InvalidRequestError } from "./errors";

/** A cursor as callers send it. One that we made is shorter. */
export const cursorText = z.string().max(4_096, "must have at most 4096 characters");

/** An answer with a page of a list. @param entry What an entry is. */
export const listOf = <Entry extends z.ZodType>(entry: Entry) =>
  z.strictObject({
    data: z.array(entry).readonly(),
    meta: z.strictObject({
      limit: z.int(),
      nextCursor: z.string().nullable().describe("What brings the next page; null on the last."),
    }),
  });

/** The place of an entry in a list that is ordered by a text. */
export const textPlace = z.strictObject({
  // PostgreSQL has no text with NUL in it.
  key: z.string().refine((key) => !key.includes("\0")),
  id: rules.id,
});

/** The place of an entry in a list that is ordered by a time, in microseconds. */
export const timePlace = z.strictObject({ key: z.string().regex(/^-?\d{1,16}$/), id: rules.id });

/**
 * Makes the cursor of a list's next page.
 *
 * It is not signed. It tells nothing that its holder has not just read, and gives no right: the token of each
 * request is checked, and all that the cursor says is checked by a schema and becomes a parameter of SQL. Who
 * forges one reads another part of the same list, which they may read anyway.
 *
 * @param list What the list was asked for by: filters, order, limit. Only with the same is the cursor taken.
 * @param place Where the next page begins, and what else it is to know.
 */
export function makeCursor(list: object, place: object): string {
  return Buffer.from(JSON.stringify({ list: digestOf(list), place })).toString("base64url");
}

/**
 * Reads a cursor of {@link makeCursor}.
 *
 * @throws {@link InvalidRequestError} where it is none, or one of another list.
 */
export function readCursor<Place extends z.ZodType>(
  list: object,
  place: Place,
  cursor: string,
): z.infer<Place> {
  const envelope = z.strictObject({ list: z.string(), place: z.unknown() });
  const read = envelope.safeParse(parsed(cursor)).data ?? refuse("is none that a list has given");
  if (read.list !== digestOf(list)) {
    refuse("is of another list: send it with the same filters, sort and limit");
  }
  return place.safeParse(read.place).data ?? refuse("is none that a list has given");
}

function refuse(message: string): never {
  throw new InvalidRequestError([{ path: "cursor", message }]);
}

function parsed(cursor: string): unknown {
  try {
    return JSON.parse(Buffer.from(cursor, "base64url").toString());
  } catch {
    return undefined;
  }
}

/** Tells lists apart; it need not resist anybody. */
function digestOf(list: object): string {
  return createHash("sha256").update(JSON.stringify(list)).digest("base64url").slice(0, 12);
}
