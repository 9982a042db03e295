import { randomUUID } from "node:crypto";
import type { ErrorRequestHandler, RequestHandler } from "express";
import { DomainError, QueueFullError, UnavailableError, type ErrorCode } from "../system/errors";
import { HttpError, statusOf, UnavailableAnswer } from "./errors";

/** Answers 404 where no route has the path. */
export const notFound: RequestHandler = () => {
  throw new HttpError(404, "There is nothing here");
};

/** Answers 405 where the route has only these methods; GET includes HEAD. */
export function onlyMethods(...methods: string[]): RequestHandler {
  return (request) => {
    const allow = methods.includes("GET") ? [...methods, "HEAD"] : methods;
    throw new HttpError(405, `${request.method} is not possible here`, {
      headers: { Allow: allow.join(", ") },
    });
  };
}

/** Answers a request that failed. Failures that are not the caller's fault (5xx) go to the log. */
export const answerErrors: ErrorRequestHandler = (error: unknown, request, response, next) => {
  // The answer is half sent, so no other status can be sent: Express's own handler closes the connection.
  if (response.headersSent) {
    next(error);
    return;
  }
  const answer = toAnswer(error, randomUUID());
  if (answer.statusCode >= 500) {
    response.err = error instanceof Error ? error : new Error(String(error));
    if (answer instanceof ReferencedAnswer) response.reference = answer.reference;
    // When the caller has hung up, the request's line in the log was written then, without this error.
    if (response.closed) {
      const { err, reference } = response;
      request.log.error({ err, reference }, err.message);
    }
  }
  response
    .set(answer.options.headers ?? {})
    .status(answer.statusCode)
    .json(answer.toBody());
};

function toAnswer(error: unknown, reference: string): HttpError {
  if (error instanceof HttpError) return error;
  if (error instanceof QueueFullError) {
    const { code } = error;
    return new UnavailableAnswer("Too much waits; send the request again later", 30, { code });
  }
  if (error instanceof UnavailableError) {
    return new UnavailableAnswer("Not possible just now; send the request again", 5);
  }
  if (error instanceof DomainError) {
    const { code, message } = error;
    if (told.has(code)) return new HttpError(statusOf(code), message, { code });
  }
  // Express throws it for a path whose percent-encoding cannot be decoded.
  if (error instanceof URIError) return new HttpError(400, "The address cannot be read");
  return new ReferencedAnswer(reference);
}

/** The service's errors whose message is sent to the caller as it is. All others answer 500. */
const told: ReadonlySet<ErrorCode> = new Set([
  ...(["NOT_FOUND", "TENANT_CONFLICT", "TENANT_BUSY", "ROLLOUT_CONFLICT", "KEY_REUSED"] as const),
]);

class ReferencedAnswer extends HttpError {
  override readonly name = "ReferencedAnswer";

  constructor(readonly reference: string) {
    super(500, `Failed; the operator of this service knows why, by reference ${reference}`);
  }
}
