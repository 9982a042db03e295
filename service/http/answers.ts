import { randomUUID } from "node:crypto";
import type { ErrorRequestHandler, RequestHandler } from "express";
import { TenantConflictError, UnavailableError } from "../errors";
import { HttpError, UnavailableAnswer } from "./errors";

/** No route has this path: 404. */
export const notFound: RequestHandler = () => {
  throw new HttpError(404, "There is nothing here");
};

/** The route exists, with other methods: 405. */
export function onlyMethods(...methods: string[]): RequestHandler {
  return (request) => {
    const allow = methods.includes("GET") ? [...methods, "HEAD"] : methods;
    throw new HttpError(405, `${request.method} is not possible here`, {
      headers: { Allow: allow.join(", ") },
    });
  };
}

/** Answers what went wrong, and hands it to the log where it is not the caller's doing. */
export const answerErrors: ErrorRequestHandler = (error: unknown, _request, response, next) => {
  // Express ends a connection whose answer is half sent.
  if (response.headersSent) {
    next(error);
    return;
  }
  const answer = toAnswer(error, randomUUID());
  if (answer.statusCode >= 500 && !(error instanceof HttpError)) {
    response.err = error instanceof Error ? error : new Error(String(error));
    if (answer instanceof ReferencedAnswer) response.reference = answer.reference;
  }
  response
    .set(answer.options.headers ?? {})
    .status(answer.statusCode)
    .json(answer.toBody());
};

function toAnswer(error: unknown, reference: string): HttpError {
  if (error instanceof HttpError) return error;
  if (error instanceof TenantConflictError) return new HttpError(409, error.message);
  if (error instanceof UnavailableError) {
    return new UnavailableAnswer("Not possible just now; send the request again", 5);
  }
  const status = clientFault(error);
  const refusal = status === undefined ? undefined : refusals[status];
  return refusal ?? new ReferencedAnswer(reference);
}

class ReferencedAnswer extends HttpError {
  override readonly name = "ReferencedAnswer";

  constructor(readonly reference: string) {
    super(500, `It failed; the service's operator finds out why by reference ${reference}`);
  }
}

/** The status of an error of Express or its body parser that blames the request. */
function clientFault(error: unknown): number | undefined {
  if (!(error instanceof Error) || !("status" in error)) return undefined;
  return typeof error.status === "number" && error.status < 500 ? error.status : undefined;
}

/** In our words, because theirs tell of paths and limits. */
const refusals: Record<number, HttpError> = {
  400: new HttpError(400, "The request cannot be read"),
  // The rest of the body is not worth reading.
  413: new HttpError(413, "The body is larger than 16 KiB", { headers: { Connection: "close" } }),
  415: new HttpError(415, "The body must be plain application/json in UTF-8"),
};
