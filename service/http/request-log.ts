import { randomUUID } from "node:crypto";
import type { Logger, SerializedError } from "pino";
import { pinoHttp } from "pino-http";
import { DomainError } from "../system/errors";
import { HttpError } from "./errors";

/**
 * Gives each request an id and writes one line for it to the log when it ends.
 *
 * The id is the caller's `X-Request-Id` where that is well-formed, else a new one; the answer carries it in
 * the same header. Headers and bodies are never logged.
 */
export function logRequests(log: Logger) {
  return pinoHttp({
    logger: log,
    genReqId: (request, response) => {
      const given = request.headers["x-request-id"];
      const id = typeof given === "string" && /^[\w.-]{1,64}$/.test(given) ? given : randomUUID();
      response.setHeader("X-Request-Id", id);
      return id;
    },
    customLogLevel: (request, response, error) => {
      if (error !== undefined || response.statusCode >= 500) return "error";
      return request.url === "/healthz" || request.url === "/readyz" ? "debug" : "info";
    },
    customSuccessMessage: (_request, response) =>
      response.writableFinished ? "answered" : "the caller hung up",
    customErrorMessage: (_request, _response, error) => error.message,
    customProps: (_request, response) =>
      response.reference === undefined ? {} : { reference: response.reference },
    serializers: {
      req: (request: { id: string; method: string; url: string; remoteAddress: string }) => ({
        id: request.id,
        method: request.method,
        url: request.url.slice(0, 300),
        remoteAddress: request.remoteAddress,
      }),
      res: (response: { statusCode: number }) => ({ statusCode: response.statusCode }),
      // The stack trace of an error that this service throws on purpose helps nobody, so it is left out.
      err: ({ raw, ...error }: SerializedError) =>
        foreseen.some((kind) => raw instanceof kind)
          ? { type: raw.name, message: raw.message, faults: Reflect.get(raw, "faults") as unknown }
          : error,
    },
  });
}

const foreseen = [HttpError, DomainError];

declare module "node:http" {
  interface ServerResponse {
    /** The reference in the answer of a failed request, by which the operator finds the cause in the log. */
    reference?: string;
  }
}
