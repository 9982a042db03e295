import { STATUS_CODES } from "node:http";

/** A fault of a request: where it is, and what it is. */
export interface Detail {
  /** The field, `""` for the body as a whole. */
  readonly path: string;
  readonly message: string;
}

/** An answer that is an error. Its message and details are for the caller. */
export class HttpError extends Error {
  override readonly name: string = "HttpError";

  constructor(
    readonly statusCode: number,
    message: string,
    readonly options: {
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
      ...(this.options.details === undefined ? {} : { details: this.options.details }),
    };
  }
}

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

/** 403: the token is good, and not for this. */
export class ForbiddenError extends HttpError {
  override readonly name = "ForbiddenError";

  constructor(message: string) {
    super(403, message, { headers: { "WWW-Authenticate": 'Bearer error="insufficient_scope"' } });
  }
}

/** 503 of `/readyz`. */
export class NotReadyError extends HttpError {
  override readonly name = "NotReadyError";

  /** @param trouble What does not work → why, which is for the operator only. */
  constructor(trouble: ReadonlyMap<string, string>) {
    const details = [...trouble.keys()].map((path) => ({ path, message: "does not work" }));
    super(503, "Not ready", { details });
    this.faults = [...trouble].map(([path, why]) => `${path}: ${why}`);
  }

  readonly faults: readonly string[];
}

/** 503: send it again later. */
export class UnavailableAnswer extends HttpError {
  override readonly name = "UnavailableAnswer";

  /** @param retryAfter In seconds. */
  constructor(message: string, retryAfter: number, headers: Readonly<Record<string, string>> = {}) {
    super(503, message, { headers: { ...headers, "Retry-After": String(retryAfter) } });
  }
}
