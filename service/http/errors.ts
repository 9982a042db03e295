import { STATUS_CODES } from "node:http";
import type { ErrorCode } from "../system/errors";

/** A fault of a request: where it is, and what it is. */
export interface Detail {
  /** The field, `""` for the body as a whole. */
  readonly path: string;
  readonly message: string;
}

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

  /** The body of every error answer. */
  toBody() {
    return {
      statusCode: this.statusCode,
      message: this.message,
      error: STATUS_CODES[this.statusCode] ?? "Error",
      code: this.options.code ?? codes[this.statusCode] ?? "INTERNAL",
      ...(this.options.details === undefined ? {} : { details: this.options.details }),
    };
  }
}

const codes: Readonly<Partial<Record<number, ErrorCode>>> = {
  400: "INVALID_REQUEST",
  401: "UNAUTHENTICATED",
  403: "PERMISSION_DENIED",
  404: "NOT_FOUND",
  405: "METHOD_NOT_ALLOWED",
  409: "TENANT_CONFLICT",
  413: "BODY_TOO_LARGE",
  415: "UNSUPPORTED_BODY",
  422: "KEY_REUSED",
  429: "RATE_LIMITED",
  503: "UNAVAILABLE",
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
