import { Router, type RequestHandler } from "express";
import type { z } from "zod";
import type { Permission } from "../auth/permissions";
import type { ErrorCode } from "../system/errors";
import { onlyMethods } from "./answers";
import { takeBody, takeBodyIfAny } from "./body";
import { withoutParameters } from "./list-parameters";
import type { Permit } from "./permit";

/** What a route answers with a status of success. */
export interface RouteAnswer {
  readonly description: string;
  /** What the body is; none where there is no body. */
  readonly schema?: z.ZodType;
  /** Default: `application/json`. */
  readonly mediaType?: "application/x-tar" | "text/event-stream";
}

/** An address with a method: what it takes, who may use it, and what it answers. OpenAPI is made of these. */
export interface Route {
  /** The name of the operation in OpenAPI, such as `setUpTenant`. */
  readonly name: string;
  readonly method: "get" | "post" | "patch" | "delete";
  /** As Express writes it: `/api/tenant/:id`. Each `:id` is a UUID. */
  readonly path: string;
  readonly summary: string;
  /** What the token must permit; NOTHING for any valid token, NO_TOKEN where none is needed. */
  readonly permission: Permission | "NOTHING" | "NO_TOKEN";
  /** The parameters in the address, which the handlers read; where there are none, one that is sent is refused. */
  readonly query?: z.ZodType<unknown, Record<string, unknown>>;
  /** The JSON in the body, which the handlers read. */
  readonly body?: z.ZodType;
  /** Whether a request without a body counts as one with an empty object. Default: no. */
  readonly mayLackBody?: boolean;
  /** Whether it is counted by `RATE_LIMIT`. Default: no. */
  readonly isLimited?: boolean;
  /** Whether it begins an operation: then it takes `Idempotency-Key` and `Prefer`. Default: no. */
  readonly isOperation?: boolean;
  /** Status → answer. */
  readonly answers: Readonly<Record<number, RouteAnswer>>;
  /** The codes of errors that do not follow from what else is said here. */
  readonly errors?: readonly ErrorCode[];
  readonly handlers: readonly RequestHandler[];
}

/** What stands before the handlers of a route. */
export interface Guards {
  readonly permit: Permit;
  /** Counts a request against the rate of its token's subject. */
  readonly limited: RequestHandler;
}

/** Serves the routes, in their order. A method that a path does not have is answered with 405. */
export function routerOf(routes: readonly Route[], guards: Guards): Router {
  const router = Router();
  for (const path of new Set(routes.map((route) => route.path))) {
    const here = routes.filter((route) => route.path === path);
    const address = router.route(path);
    for (const route of here)
      address[route.method]([...guardsOf(route, guards), ...route.handlers]);
    address.all(onlyMethods(...here.map(({ method }) => method.toUpperCase())));
  }
  return router;
}

/** The checks that cost least come first; nobody's rate is counted without a token. */
function guardsOf(route: Route, { permit, limited }: Guards): RequestHandler[] {
  const { path, permission, query, body, mayLackBody = false, isLimited = false } = route;
  return [
    ...(body === undefined ? [] : [mayLackBody ? takeBodyIfAny : takeBody]),
    ...(permission === "NO_TOKEN" ? [] : [permit(permission)]),
    ...(isLimited ? [limited] : []),
    ...(query === undefined && path.startsWith("/api/") ? [withoutParameters] : []),
  ];
}
