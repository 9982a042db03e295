import { STATUS_CODES } from "node:http";
import { z } from "zod";
import { errorCodes, type ErrorCode } from "../system/errors";

/** A fault of a request: where it is, and what it is. */
const detail = z.strictObject({
  path: z.string().describe("The field; empty for the body as a whole."),
  message: z.string(),
});

/** A fault of a request. */
export type Detail = Readonly<z.infer<typeof detail>>;

/** The body of every error answer. */
export const errorView = z
  .strictObject({
    statusCode: z.int(),
    message: z.string(),
    error: z.string().describe("What HTTP calls the status."),
    code: z.enum(errorCodes).describe("What a client decides by."),
    details: z.array(detail).optional(),
  })
  .meta({ id: "Error" });

/** An answer with an error status. Its message and details are sent to the caller. */
export class HttpError extends Error {
  override readonly name: string = "HttpError";

  constructor(
    readonly statusCode: number,
    message: string,
    readonly options: {
      /** Default: the code that belongs to the status code. */
      readonly code?: ErrorCode;
      readonly headers?: Readonly<Record<string, string>>;
      readonly details?: readonly Detail[];
    } = {},
  ) {
    super(message);
  }

  toBody(): z.infer<typeof errorView> {
    return {
      statusCode: this.statusCode,
      message: this.message,
      error: STATUS_CODES[this.statusCode] ?? "Error",
      code: this.options.code ?? usualCode(this.statusCode),
      ...(this.options.details === undefined ? {} : { details: [...this.options.details] }),
    };
  }
}

function usualCode(statusCode: number): ErrorCode {
  const all = Object.keys(statuses) as ErrorCode[];
  return all.find((code) => statuses[code] === statusCode) ?? "INTERNAL";
}

/** The status that an answer with this code has. */
export function statusOf(code: ErrorCode): number {
  return statuses[code];
}

/** The first code of a status is that of an answer that names none. */
const statuses: Readonly<Record<ErrorCode, number>> = {
  INVALID_REQUEST: 400,
  UNAUTHENTICATED: 401,
  PERMISSION_DENIED: 403,
  NOT_FOUND: 404,
  METHOD_NOT_ALLOWED: 405,
  TENANT_CONFLICT: 409,
  TENANT_BUSY: 409,
  ROLLOUT_CONFLICT: 409,
  BODY_TOO_LARGE: 413,
  UNSUPPORTED_BODY: 415,
  KEY_REUSED: 422,
  RATE_LIMITED: 429,
  INTERNAL: 500,
  OPERATION_FAILED: 500,
  UNAVAILABLE: 503,
  QUEUE_FULL: 503,
};

/** 400, with every fault. */
export class InvalidRequestError extends HttpError {
  override readonly name = "InvalidRequestError";

  constructor(details: readonly Detail[]) {
    super(400, "The request is not valid", { details });
  }
}

/** 401, with the challenge of RFC 6750 section 3: without an error code where no token came. */
export class UnauthorizedError extends HttpError {
  override readonly name = "UnauthorizedError";

  constructor(message: string, token: "invalid" | "missing" = "invalid") {
    const challenge = token === "missing" ? "Bearer" : 'Bearer error="invalid_token"';
    super(401, message, { headers: { "WWW-Authenticate": challenge } });
  }
}

/** 403: the token is valid and lacks the permission. The challenge is of RFC 6750 section 3.1. */
export class ForbiddenError extends HttpError {
  override readonly name = "ForbiddenError";

  constructor(message: string) {
    super(403, message, { headers: { "WWW-Authenticate": 'Bearer error="insufficient_scope"' } });
  }
}

/** 503 of `/readyz`. */
export class NotReadyError extends HttpError {
  override readonly name = "NotReadyError";

  /** @param trouble The part that does not work → why. The reason goes to the log only, not to the caller. */
  constructor(trouble: ReadonlyMap<string, string>) {
    const details = [...trouble.keys()].map((path) => ({ path, message: "does not work" }));
    super(503, "Not ready", { details });
    this.faults = [...trouble].map(([path, why]) => `${path}: ${why}`);
  }

  readonly faults: readonly string[];
}

/** 503 with Retry-After: the request can be sent again later. */
export class UnavailableAnswer extends HttpError {
  override readonly name = "UnavailableAnswer";

  constructor(
    message: string,
    retryAfterSeconds: number,
    options: { code?: ErrorCode; headers?: Readonly<Record<string, string>> } = {},
  ) {
    const headers = { ...options.headers, "Retry-After": String(retryAfterSeconds) };
    super(503, message, { ...options, headers });
  }
}
