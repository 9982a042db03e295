import { healthRoutes, type HealthParts } from "./health";
import { describeRoutes } from "./openapi";
import { operationRoutes } from "./operations";
import { rolloutRoutes } from "./rollouts";
import type { Route } from "./route";
import { StreamPlaces, type StreamLimits } from "./stream-places";
import { tenantRoutes, type TenantRouteParts } from "./tenants";
import type { Rollouts } from "../rollouts/rollouts";

/** What the handlers of all routes need. */
export interface ApiParts extends TenantRouteParts, HealthParts {
  readonly rollouts: Rollouts;
  readonly streams: StreamLimits;
}

/** Every address of the service, its own description among them. */
export function apiRoutes(parts: ApiParts): Route[] {
  const places = new StreamPlaces(parts.streams);
  const routes = [
    ...tenantRoutes(parts),
    ...operationRoutes(parts.operations, places),
    ...rolloutRoutes(parts.rollouts, places),
    ...healthRoutes(parts),
  ];
  return [...routes, describeRoutes(routes)];
}
