import type { Response } from "express";
import { z } from "zod";
import { kindOf, kinds } from "../operations/kinds";
import { operationStatuses } from "../operations/store/list";
import type { KindName, Operation } from "../operations/store/operation";
import { stepNames } from "../pulumi/steps";
import { errorCodes, type ErrorCode } from "../system/errors";
import type { TenantView } from "../tenants/tenants";
import { HttpError, UnavailableAnswer } from "./errors";

/**
 * An operation as callers see it: who asked for it, and those who may view tenants. Of the request's body only the
 * reason is told, which is for people; its Idempotency-Key is not.
 */
export const operationView = z
  .strictObject({
    id: z.uuid(),
    kind: z.enum(Object.keys(kinds) as KindName[]),
    tenantId: z.uuid(),
    slug: z.string(),
    askedBy: z.string().nullable().describe("The `sub` of who asked for it."),
    status: z.enum(operationStatuses),
    steps: z.array(
      z.strictObject({
        name: z.enum(stepNames),
        status: z.enum(["pending", "running", "succeeded", "failed"]),
        startedAt: z.iso.datetime().optional(),
        endedAt: z.iso.datetime().optional(),
        error: z.string().optional(),
      }),
    ),
    attempts: z.int().describe("How often it was started."),
    createdAt: z.date(),
    startedAt: z.date().nullable(),
    finishedAt: z.date().nullable(),
    reason: z.string().optional(),
    failure: z
      .strictObject({ statusCode: z.int(), code: z.enum(errorCodes), message: z.string() })
      .optional(),
  })
  .meta({ id: "Operation" });

/** An operation as {@link operationView} has it. */
export function viewOf(operation: Operation): z.infer<typeof operationView> {
  const { id, kind, tenantId, slug, status, steps, attempts, failure } = operation;
  const { subject, createdAt, startedAt, finishedAt, request } = operation;
  return {
    ...{ id, kind, tenantId, slug, askedBy: subject, status, steps: [...steps], attempts },
    ...{ createdAt, startedAt, finishedAt },
    ...(typeof request.reason === "string" && { reason: request.reason }),
    ...(failure === null
      ? {}
      : { failure: { ...failures[failure.kind], message: failure.message } }),
  };
}

/** A tenant that was just set up. */
export const newTenantView = z.strictObject({ id: z.uuid(), name: z.string(), slug: z.string() });

/** Answers 202, with the address of the operation in `Location`. */
export function answerAccepted(response: Response, operation: Operation): void {
  response.status(202).location(`/api/operations/${operation.id}`).json(viewOf(operation));
}

/**
 * Answers with how an operation ended, or with 202 where it has not ended yet.
 *
 * @param findTenant Gives the tenant as it is now.
 * @throws {@link HttpError} where the operation has failed, with the message that is for its caller.
 */
export async function answerEnd(
  response: Response,
  operation: Operation,
  findTenant: () => Promise<TenantView>,
): Promise<void> {
  const { kind, failure, appliedAt, tenantId, request, slug } = operation;
  if (failure !== null) {
    if (failure.reference !== undefined) response.reference = failure.reference;
    throw errorOf(failure);
  }
  if (appliedAt === null) {
    answerAccepted(response, operation);
    return;
  }
  const { success } = kindOf(kind);
  if (success === 204) {
    response.status(204).end();
  } else if (success === 201) {
    const tenant: z.infer<typeof newTenantView> = {
      id: tenantId,
      name: String(request.name),
      slug,
    };
    response.status(201).location(`/api/tenant/${tenantId}`).json(tenant);
  } else {
    response.json(await findTenant());
  }
}

function errorOf({ kind, message }: NonNullable<Operation["failure"]>): Error {
  const { statusCode, code } = failures[kind];
  return statusCode === 503
    ? new UnavailableAnswer(message, 5)
    : new HttpError(statusCode, message, { code });
}

const failures: Readonly<
  Record<NonNullable<Operation["failure"]>["kind"], { statusCode: number; code: ErrorCode }>
> = {
  conflict: { statusCode: 409, code: "TENANT_CONFLICT" },
  unavailable: { statusCode: 503, code: "UNAVAILABLE" },
  failed: { statusCode: 500, code: "OPERATION_FAILED" },
};
