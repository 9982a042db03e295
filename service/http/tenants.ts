import type { Database } from "../database/database";
import type { DriftParts } from "../drift/drift";
import { kinds } from "../operations/kinds";
import type { Kind } from "../operations/kinds/kind";
import type { Operations } from "../operations/operations";
import { tenantView, viewTenant } from "../tenants/tenants";
import { Exports } from "../tenants/exports";
import { answerDrift, answerUnrepairable, driftView, repairedView, viewWithDrift } from "./drift";
import { answerExport } from "./export";
import { newTenantView } from "./operation-answers";
import type { Route } from "./route";
import {
  answerOwnTenants,
  answerTenants,
  mineAnswer,
  mineRequest,
  tenantsAnswer,
  tenantsRequest,
} from "./tenant-lists";
import { found, idIn, operate } from "./verb";

/** What the routes of tenants need. */
export interface TenantRouteParts {
  readonly database: Database;
  readonly operations: Operations;
  readonly drift: DriftParts;
}

/** `/api/tenant`: one tenant, the lists of them, and the verbs. */
export function tenantRoutes(parts: TenantRouteParts): Route[] {
  const { database } = parts;
  const { query } = database;
  const verb = <Body extends object>(kind: Kind<Body>) => ({
    ...{ method: "post" as const, permission: kind.permission, body: kind.body },
    ...{ mayLackBody: true, isLimited: true, isOperation: true },
    errors: [
      "TENANT_CONFLICT",
      "TENANT_BUSY",
      "KEY_REUSED",
      "OPERATION_FAILED",
      "QUEUE_FULL",
    ] as const,
    handlers: [operate(parts, kind)],
  });
  const asTenant = (description: string) => ({ 200: { description, schema: tenantView } });
  return [
    {
      ...verb(kinds.setup),
      ...{ name: "setUpTenant", path: "/api/tenant/setup", mayLackBody: false },
      summary:
        "Sets up a tenant: its row, its admin, its schema with every migration, and the admin's membership.",
      answers: { 201: { description: "The tenant is active.", schema: newTenantView } },
    },
    {
      ...verb(kinds.adopt),
      ...{ name: "adoptTenant", path: "/api/tenant/adopt", mayLackBody: false },
      summary: "Takes over a tenant that has no owner. No table is touched.",
      answers: asTenant("The tenant, which is the service's now."),
      errors: [...verb(kinds.adopt).errors, "NOT_FOUND"],
    },
    {
      ...{ name: "listOwnTenants", method: "get", path: "/api/tenant/mine", permission: "NOTHING" },
      summary: "A page of the tenants in which the token's `sub` is a member, by name.",
      query: mineRequest,
      answers: { 200: { description: "The page.", schema: mineAnswer } },
      handlers: [answerOwnTenants(query)],
    },
    {
      ...{ name: "getTenant", method: "get", path: "/api/tenant/:id", permission: "VIEW_TENANTS" },
      summary: "A tenant, whatever its status.",
      answers: asTenant("The tenant."),
      handlers: [
        async (request, response) => {
          response.json(await found(viewTenant(query, idIn(request) ?? "")));
        },
      ],
    },
    {
      ...verb(kinds.change),
      ...{ name: "changeTenant", method: "patch", path: "/api/tenant/:id", mayLackBody: false },
      summary: "Changes a tenant's name or slug, in place.",
      answers: asTenant("The tenant as it is now."),
    },
    {
      ...verb(kinds.delete),
      ...{ name: "deleteTenant", method: "delete", path: "/api/tenant/:id" },
      summary:
        "Deletes a tenant: its data is kept until `purgeAt`, nobody may use it, and its slug is free.",
      answers: asTenant("The tenant, `deleted`."),
    },
    {
      ...verb(kinds.suspend),
      ...{ name: "suspendTenant", path: "/api/tenant/:id/suspend" },
      summary: "Suspends a tenant: the product's roles cannot use its schema.",
      answers: asTenant("The tenant, `suspended`."),
    },
    {
      ...verb(kinds.resume),
      ...{ name: "resumeTenant", path: "/api/tenant/:id/resume" },
      summary: "Ends a tenant's suspension.",
      answers: asTenant("The tenant, `active`."),
    },
    {
      ...verb(kinds.restore),
      ...{ name: "restoreTenant", path: "/api/tenant/:id/restore" },
      summary: "Restores a deleted tenant, with another slug where its own was taken.",
      answers: asTenant("The tenant, as it was before."),
    },
    {
      ...verb(kinds.release),
      ...{ name: "releaseTenant", path: "/api/tenant/:id/release" },
      summary: "Lets a tenant go as it is, so that a stack may adopt it.",
      answers: asTenant("The tenant, which the service has forgotten."),
    },
    {
      ...verb(kinds.purge),
      ...{ name: "purgeTenant", path: "/api/tenant/:id/purge" },
      summary: "Removes a deleted tenant with all of its data, for ever.",
      answers: { 204: { description: "It is gone." } },
    },
    {
      ...{ name: "getDrift", method: "get", path: "/api/tenant/:id/drift" },
      ...{ permission: "VIEW_TENANTS" },
      summary: "What of a tenant is not as it is wanted.",
      answers: { 200: { description: "The facets that differ.", schema: driftView } },
      handlers: [answerDrift(parts.drift)],
    },
    {
      ...verb(kinds.repair),
      ...{ name: "repairTenant", path: "/api/tenant/:id/repair" },
      summary: "Repairs what the engine can repair of a tenant's drift.",
      answers: { 200: { description: "The tenant, and what is left.", schema: repairedView } },
      handlers: [
        answerUnrepairable(parts.drift),
        operate(parts, kinds.repair, (id) => viewWithDrift(parts.drift, id)),
      ],
    },
    {
      ...{ name: "exportTenant", method: "get", path: "/api/tenant/:id/export" },
      ...{ permission: "EXPORT_TENANT", isLimited: true },
      summary: "A tenant as a tar of one consistent snapshot, streamed.",
      answers: { 200: { description: "The archive.", mediaType: "application/x-tar" } },
      errors: ["TENANT_CONFLICT", "TENANT_BUSY"],
      handlers: [answerExport(new Exports(database))],
    },
    {
      ...{ name: "listTenants", method: "get", path: "/api/tenant", permission: "VIEW_TENANTS" },
      summary: "A page of the tenants.",
      query: tenantsRequest,
      answers: { 200: { description: "The page.", schema: tenantsAnswer } },
      handlers: [answerTenants(query)],
    },
  ];
}
