import type { IncomingHttpHeaders } from "node:http";
import type { Request, RequestHandler } from "express";
import type { z } from "zod";
import { HttpError, InvalidRequestError, type Detail } from "./errors";

/** What a body may have at most, in bytes. */
const LIMIT_BYTES = 16 * 1024;

/**
 * The cheapest checks of a body: its size, announced or counted while it comes (413), then its type
 * (415). What is in it is read by {@link parseBody}, after the token.
 *
 * Express's own `raw()` answers a body that is too large only when all of it has come. Here the
 * answer goes out at once; Node takes in the rest, within the request's time limit, and drops it.
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

async function readAll(request: Request): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    // Ending the loop early must not end the connection: the answer goes over it.
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
  // A compressed body can be of any size when it is unpacked.
  if (headers["content-encoding"] !== undefined) return false;
  const [type = "", ...parameters] = (headers["content-type"] ?? "").toLowerCase().split(";");
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
