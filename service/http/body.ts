import { raw, type RequestHandler } from "express";
import type { z } from "zod";
import { HttpError, InvalidRequestError, type Detail } from "./errors";

/**
 * The cheapest checks of a body: its size, told or counted while it comes (413), then its type (415).
 * What is in it is read by {@link parseBody}, after the token.
 */
export const takeBody: RequestHandler[] = [
  raw({ limit: 16 * 1024, type: () => true, inflate: false }),
  (request, _response, next) => {
    if (!isJson(request.headers["content-type"] ?? "")) {
      throw new HttpError(415, "The body must be application/json in UTF-8");
    }
    next();
  },
];

/**
 * Reads the JSON that {@link takeBody} took.
 *
 * @throws {@link InvalidRequestError} with every fault of it.
 */
export function parseBody<Schema extends z.ZodType>(
  schema: Schema,
  body: unknown,
): z.infer<Schema> {
  return parseInput(schema, parseJson(Buffer.isBuffer(body) ? body : Buffer.alloc(0)));
}

/**
 * Reads what a caller sent by its rules.
 *
 * @throws {@link InvalidRequestError} with every fault of it.
 */
export function parseInput<Schema extends z.ZodType>(
  schema: Schema,
  input: unknown,
): z.infer<Schema> {
  const parsed = schema.safeParse(input, { error: wordType });
  if (parsed.success) return parsed.data;
  throw new InvalidRequestError(parsed.error.issues.flatMap(detailsOf));
}

function isJson(contentType: string): boolean {
  const [type = "", ...parameters] = contentType.toLowerCase().split(";");
  const charset = parameters.map((text) => text.trim()).find((text) => text.startsWith("charset="));
  return type.trim() === "application/json" && /^(charset="?utf-8"?)?$/.test(charset ?? "");
}

function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    // JSON.parse would repeat what it read, a password perhaps.
    throw new InvalidRequestError([{ path: "", message: "must be JSON in UTF-8" }]);
  }
}

function wordType(issue: z.core.$ZodRawIssue): string | undefined {
  if (issue.code !== "invalid_type") return undefined;
  return issue.input === undefined ? "is missing" : `must be of type ${issue.expected}`;
}

function detailsOf(issue: z.core.$ZodIssue): Detail[] {
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => ({ path: key, message: "is not a known field" }));
  }
  return [{ path: issue.path.join("."), message: issue.message }];
}
