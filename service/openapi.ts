/** `npm run openapi`: prints how the HTTP API is described, as OpenAPI 3.1. Needs no database. */
import { apiRoutes, type ApiParts } from "./http/api";
import { openApiOf } from "./http/openapi";

// Of the routes only the words are used; their handlers, which would need these, are never called.
const noParts = { database: {}, streams: {} } as unknown as ApiParts;

console.log(JSON.stringify(openApiOf(apiRoutes(noParts)), null, 2));
