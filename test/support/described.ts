import Ajv2020, { type ValidateFunction } from "ajv/dist/2020";
import addFormats from "ajv-formats";
import type { oas31 } from "zod-openapi";
import { apiRoutes, type ApiParts } from "../../service/http/api";
import { addressOf, openApiOf } from "../../service/http/openapi";
import type { Route } from "../../service/http/route";

// Their handlers, which would need these, are never called.
const routes = apiRoutes({ database: {}, streams: {} } as unknown as ApiParts);

/** How the service describes its HTTP API. */
export const description: oas31.OpenAPIObject = openApiOf(routes);

const ajv = new Ajv2020({ strict: false, allErrors: true });
addFormats(ajv);
ajv.addSchema(description, "openapi");
const validators = new Map<string, ValidateFunction>();

/**
 * Checks that an answer is one of those that the API's description has for this request. The answer to a path, or a
 * method, that there is not is no route's.
 *
 * @throws Error with what differs.
 */
export function assertDescribed(
  method: string,
  url: string,
  { status, body }: { readonly status: number; readonly body: unknown },
): void {
  const { pathname } = new URL(url);
  // A HEAD is a GET without its body.
  const isHead = method === "HEAD";
  const route = routeOf(isHead ? "GET" : method, pathname);
  if (route === undefined) {
    if (status === 404 || status === 405) return;
    throw new Error(`${method} ${pathname} answered ${status}, and is not described`);
  }
  const answer = answerOf(route, status);
  if (answer === undefined) {
    throw new Error(`${method} ${route.path}: the answer ${status} is not described`);
  }
  if (isHead) return;
  if (answer.content?.["application/json"] === undefined) {
    if (body === undefined) return;
    throw new Error(`${method} ${route.path}: the answer ${status} is described without a body`);
  }
  const validate = validatorOf(route, status);
  if (validate(body)) return;
  throw new Error(
    `${method} ${route.path}: the answer ${status} is not as described: ${ajv.errorsText(validate.errors)}`,
  );
}

function answerOf(route: Route, status: number): oas31.ResponseObject | undefined {
  const responses = description.paths?.[addressOf(route)]?.[route.method]?.responses;
  return responses?.[status as unknown as keyof typeof responses] as
    oas31.ResponseObject | undefined;
}

/** The first that has the path, as Express takes it. */
function routeOf(method: string, pathname: string): Route | undefined {
  const path = pathname.replace(/(?<=.)\/$/, "").toLowerCase();
  const here = routes.filter((route) =>
    new RegExp(`^${route.path.replaceAll(/:\w+/g, "[^/]+")}$`).test(path),
  );
  const [first] = here;
  return here.find((route) => route.path === first?.path && route.method === method.toLowerCase());
}

function validatorOf(route: Route, status: number): ValidateFunction {
  const escaped = addressOf(route).replaceAll("~", "~0").replaceAll("/", "~1");
  const place = `#/paths/${escaped}/${route.method}/responses/${status}/content/application~1json/schema`;
  const known = validators.get(place);
  if (known !== undefined) return known;
  const made = ajv.compile({ $ref: `openapi${encodeURI(place)}` });
  validators.set(place, made);
  return made;
}
