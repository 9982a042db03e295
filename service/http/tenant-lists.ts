import type { Request, RequestHandler } from "express";
import { z } from "zod";
import { rules } from "../../provider/contract/rules";
import type { Query } from "../database/database";
import {
  countTenants,
  listTenants,
  tenantSorts,
  type TenantFilter,
  type TenantPart,
} from "../tenants/list";
import { listMemberships, membershipView } from "../tenants/memberships";
import { tenantStatuses, tenantView } from "../tenants/tenants";
import { parseInput } from "./body";
import { cursorText, listOf, makeCursor, readCursor, textPlace, timePlace } from "./cursor";
import { count, limit, someOf } from "./list-parameters";

/**
 * A half made tenant is shown to whoever asks for that status: an operator has to find the one that is stuck.
 * By default it is in no list, as no product may use it.
 */
const shown: (typeof tenantStatuses)[number][] = ["active", "suspended"];

/** The parameters of the list of tenants. */
export const tenantsRequest = z
  .strictObject({
    status: someOf(tenantStatuses).optional(),
    q: rules.name.optional(),
    drifted: z.enum(["true", "false"], "must be true or false").optional(),
    sort: z.enum(tenantSorts, `must be of ${tenantSorts.join(", ")}`).default("-createdAt"),
    page: count(1_000_000).optional(),
    limit,
    cursor: cursorText.optional(),
  })
  .refine(({ page, cursor }) => page === undefined || cursor === undefined, {
    ...{ path: ["cursor"], message: "cannot be sent with page" },
  })
  .transform(({ status, drifted, ...list }) => ({
    ...list,
    // Whose status somebody has changed is looked for too.
    status: status ?? (drifted === "true" ? [...tenantStatuses] : shown),
    ...(drifted === undefined ? {} : { drifted: drifted === "true" }),
  }));

/** Answers with a page of the tenants. */
export function answerTenants(query: Query): RequestHandler {
  return async (request, response) => {
    const { page, cursor, ...list } = parseInput(tenantsRequest, request.query);
    const begin = await beginOf(query, list, page, cursor);
    const { entries, next } = await listTenants(query, list, { ...list, after: begin.after });
    const { total } = begin;
    const answer: z.infer<typeof tenantsAnswer> = {
      data: entries,
      meta: {
        ...{ page: begin.page, limit: list.limit, total },
        totalPages: Math.ceil(total / list.limit),
        nextCursor: next ? makeCursor(list, { ...next, page: begin.page + 1, total }) : null,
      },
    };
    response.json(answer);
  };
}

/** A page of the tenants. */
export const tenantsAnswer = z.strictObject({
  data: z.array(tenantView).readonly(),
  meta: z.strictObject({
    page: z.int(),
    limit: z.int(),
    total: z.int(),
    totalPages: z.int(),
    nextCursor: z.string().nullable().describe("What brings the next page; null on the last."),
  }),
});

/** A page of the tenants of the token's user. */
export const mineAnswer = listOf(membershipView);

/** The parameters of the list of one's own tenants. */
export const mineRequest = z.strictObject({ limit, cursor: cursorText.optional() });

/** Answers with a page of the tenants in which the token's `sub` is a member; none where it is no user's id. */
export function answerOwnTenants(query: Query): RequestHandler {
  return async (request, response) => {
    const { limit, cursor } = parseInput(mineRequest, request.query);
    const userId = userIdOf(request);
    const list = { userId, limit };
    const after = cursor === undefined ? undefined : readCursor(list, textPlace, cursor);
    const { entries, next } =
      userId === undefined
        ? { entries: [], next: undefined }
        : await listMemberships(query, userId, { limit, after });
    const nextCursor = next ? makeCursor(list, next) : null;
    const answer: z.infer<typeof mineAnswer> = { data: entries, meta: { limit, nextCursor } };
    response.json(answer);
  };
}

/**
 * Where a page of the tenants begins, which page it is, and how many tenants the list has. Counting them takes
 * far longer than a page, so they are counted where the page is asked for by its number; a cursor brings the
 * total along.
 */
async function beginOf(
  query: Query,
  list: TenantFilter & Omit<TenantPart, "after">,
  page = 1,
  cursor?: string,
) {
  if (cursor === undefined) {
    return { after: (page - 1) * list.limit, page, total: await countTenants(query, list) };
  }
  const place = list.sort.endsWith("createdAt") ? timePlace : textPlace;
  const whole = place.extend({ page: z.int().min(1), total: z.int().min(0) });
  const { page: number, total, ...after } = readCursor(list, whole, cursor);
  return { after, page: number, total };
}

/** A user's id is a UUID of any version, as PostgreSQL takes it. */
function userIdOf({ caller }: Request): string | undefined {
  return z.guid().toLowerCase().safeParse(caller?.subject).data;
}
