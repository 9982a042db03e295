import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { z } from "zod";
import {
  createDocument,
  type oas31,
  type ZodOpenApiOperationObject,
  type ZodOpenApiResponseObject,
} from "zod-openapi";
import { rules } from "../../provider/contract/rules";
import type { ErrorCode } from "../system/errors";
import { errorView, statusOf } from "./errors";
import { operationView } from "./operation-answers";
import type { Route, RouteAnswer } from "./route";
import { idempotencyKey } from "./verb";

/** The route that describes all others, as OpenAPI 3.1. */
export function describeRoutes(routes: readonly Route[]): Route {
  const own: Omit<Route, "handlers"> = {
    ...{ name: "getDescription", method: "get", path: "/openapi.json", permission: "NO_TOKEN" },
    summary: "This description.",
    answers: { 200: { description: "OpenAPI 3.1.", schema: z.looseObject({}) } },
  };
  const document = openApiOf([...routes, { ...own, handlers: [] }]);
  return {
    ...own,
    handlers: [
      (_request, response) => {
        response.json(document);
      },
    ],
  };
}

/** Describes the routes, by the very schemas that check their requests and that their answers have the types of. */
export function openApiOf(routes: readonly Route[]): oas31.OpenAPIObject {
  const paths: Record<string, Record<string, ZodOpenApiOperationObject>> = {};
  for (const route of routes) {
    const address = addressOf(route);
    paths[address] = { ...paths[address], [route.method]: operationOf(route) };
  }
  const securitySchemes = {
    token: { type: "http", scheme: "bearer", bearerFormat: "JWT" },
  } as const;
  const info = {
    title: "pulumi-tenant",
    version: packageVersion(),
    description: "The tenants of a schema-per-tenant PostgreSQL product.",
    license: { name: "Apache-2.0", identifier: "Apache-2.0" },
  };
  return createDocument(
    { openapi: "3.1.0", info, servers: [{ url: "/" }], paths, components: { securitySchemes } },
    {
      // What JSON.stringify makes of a Date.
      override: ({ jsonSchema, zodSchema }) => {
        if (zodSchema._zod.def.type !== "date") return;
        jsonSchema.type = "string";
        jsonSchema.format = "date-time";
      },
      allowEmptySchema: { date: true },
    },
  );
}

/** A route's path as OpenAPI writes it: `/api/tenant/{id}`. */
export function addressOf({ path }: Pick<Route, "path">): string {
  return path.replaceAll(/:(\w+)/g, "{$1}");
}

function operationOf(route: Route): ZodOpenApiOperationObject {
  const { name, path: address, summary, permission, query, body, mayLackBody = false } = route;
  const needs = {
    NO_TOKEN: "Needs no token.",
    NOTHING: "Needs any valid token.",
  };
  return {
    operationId: name,
    tags: [address.split("/")[2] ?? "service"],
    summary,
    description:
      permission in needs ? needs[permission as keyof typeof needs] : `Needs ${permission}.`,
    security: permission === "NO_TOKEN" ? [] : [{ token: [] }],
    requestParams: {
      ...(address.includes(":id") && { path: z.object({ id: rules.id }) }),
      ...(query !== undefined && { query }),
      ...(route.isOperation === true && { header: operationHeaders }),
    },
    ...(body !== undefined && {
      requestBody: {
        required: !mayLackBody,
        content: { "application/json": { schema: body } },
      },
    }),
    responses: { ...successesOf(route), ...failuresOf(route) },
  };
}

const operationHeaders = idempotencyKey.extend({
  Prefer: z
    .string()
    .optional()
    .describe("`respond-async` has the answer be 202 at once: RFC 7240."),
});

function successesOf({ answers, isOperation }: Route): Record<string, ZodOpenApiResponseObject> {
  const accepted: RouteAnswer = {
    description: "The operation has not ended yet; `Location` is its address.",
    schema: operationView,
  };
  const all = { ...answers, ...(isOperation === true && { 202: accepted }) };
  return Object.fromEntries(
    Object.entries(all).map(([status, answer]) => [status, responseOf(answer)]),
  );
}

function responseOf({ description, schema, mediaType }: RouteAnswer): ZodOpenApiResponseObject {
  if (mediaType !== undefined) {
    return { description, content: { [mediaType]: { schema: { type: "string" } } } };
  }
  return {
    description,
    ...(schema !== undefined && { content: { "application/json": { schema } } }),
  };
}

function failuresOf(route: Route): Record<string, ZodOpenApiResponseObject> {
  const failures: Record<string, ZodOpenApiResponseObject> = {};
  for (const code of codesOf(route)) {
    const status = String(statusOf(code));
    const before = failures[status]?.description;
    const description = before === undefined ? code : `${before}, ${code}`;
    failures[status] = { description, content: { "application/json": { schema: errorView } } };
  }
  return failures;
}

function codesOf({ path, permission, body, isLimited, errors = [] }: Route): Set<ErrorCode> {
  return new Set<ErrorCode>([
    "INVALID_REQUEST",
    ...(permission === "NO_TOKEN" ? [] : (["UNAUTHENTICATED"] as const)),
    ...(permission === "NO_TOKEN" || permission === "NOTHING"
      ? []
      : (["PERMISSION_DENIED"] as const)),
    ...(path.includes(":id") ? (["NOT_FOUND"] as const) : []),
    ...(body === undefined ? [] : (["BODY_TOO_LARGE", "UNSUPPORTED_BODY"] as const)),
    ...(isLimited === true ? (["RATE_LIMITED"] as const) : []),
    ...errors,
    ...(["INTERNAL", "UNAVAILABLE"] as const),
  ]);
}

function packageVersion(): string {
  const file = resolve(__dirname, "../../../package.json");
  return z.object({ version: z.string() }).parse(JSON.parse(readFileSync(file, "utf8"))).version;
}
