import type { IncomingHttpHeaders } from "node:http";
import type { Request, RequestHandler } from "express";
import type { z } from "zod";
import { HttpError, InvalidRequestError, type Detail } from "./errors";

/** How large a body may be. */
const LIMIT_BYTES = 16 * 1024;

/**
 * Lets a request come without a body, which then counts as an empty object; one with a body is given to
 * {@link takeBody}.
 */
export const takeBodyIfAny: RequestHandler = async (request, response, next) => {
  const { "content-length": length = "0", "transfer-encoding": coding } = request.headers;
  if (length !== "0" || coding !== undefined) {
    await takeBody(request, response, next);
    return;
  }
  request.body = Buffer.from("{}");
  next();
};

/**
 * Takes a request's body and makes the checks that cost least: its size, by Content-Length or counted while
 * it comes (413), and its type (415). Its content is read by {@link parseBody}, after the token was verified.
 *
 * Express's own `raw()` answers a body that is too large only when all of it has come. Here the answer is
 * sent at once; Node receives and drops the rest, within the request's time limit.
 */
export const takeBody: RequestHandler = async (request, _response, next) => {
  if (Number(request.headers["content-length"] ?? 0) > LIMIT_BYTES) throw tooLarge();
  const body = await readAll(request);
  if (!isJson(request.headers)) {
    throw new HttpError(415, "The body must be application/json in UTF-8");
  }
  request.body = body;
  next();
};

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
 * Checks what a caller sent against its schema.
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

async function readAll(request: Request): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    // By default, leaving the loop early would destroy the connection, and the 413 could not be sent.
    for await (const chunk of request.iterator({ destroyOnReturn: false })) {
      size += (chunk as Buffer).length;
      if (size > LIMIT_BYTES) throw tooLarge();
      chunks.push(chunk as Buffer);
    }
  } catch (error) {
    throw error instanceof HttpError ? error : new HttpError(400, "The body was cut off");
  }
  return Buffer.concat(chunks);
}

function tooLarge(): HttpError {
  return new HttpError(413, "The body is larger than 16 KiB");
}

function isJson(headers: IncomingHttpHeaders): boolean {
  // A compressed body is refused: unpacked, a small one can be of any size.
  if (headers["content-encoding"] !== undefined) return false;
  const [type = "", ...parameters] = (headers["content-type"] ?? "").toLowerCase().split(";");
  const charset = parameters.map((text) => text.trim()).find((text) => text.startsWith("charset="));
  return type.trim() === "application/json" && /^(charset="?utf-8"?)?$/.test(charset ?? "");
}

function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    // JSON.parse's own message would repeat a part of the body, which may be a password.
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
