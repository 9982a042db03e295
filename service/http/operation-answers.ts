import type { Response } from "express";
import { TenantConflictError } from "../system/errors";
import type { Operation } from "../operations/operation";
import { HttpError, UnavailableAnswer } from "./errors";

/** What a caller sees of an operation: nothing of the admin, and of a failure its reference only. */
export function viewOf(operation: Operation): Record<string, unknown> {
  const { id, slug, status, steps, attempts, failure, tenantId } = operation;
  const { createdAt, startedAt, finishedAt } = operation;
  return {
    ...{ id, slug, status, steps, attempts, createdAt, startedAt, finishedAt },
    ...(tenantId === null ? {} : { tenantId }),
    ...(failure === null
      ? {}
      : { failure: { statusCode: statusCodes[failure.kind], message: failure.message } }),
  };
}

/** Answers 202: accepted, and where to ask how far it is. */
export function answerAccepted(response: Response, operation: Operation): void {
  response.status(202).location(addressOf(operation)).json(viewOf(operation));
}

/**
 * Answers with how an operation ends, or 202 where that is not known yet.
 *
 * @throws the error that the operation failed with, as its caller may know it.
 */
export function answerEnd(response: Response, operation: Operation): void {
  const { failure, tenantId, request, slug } = operation;
  if (failure !== null) {
    if (failure.reference !== undefined) response.reference = failure.reference;
    throw errorOf(failure);
  }
  if (tenantId === null) {
    answerAccepted(response, operation);
    return;
  }
  const tenant = { id: tenantId, name: request.name, slug };
  response.status(201).location(`/api/tenant/${tenantId}`).json(tenant);
}

function errorOf({ kind, message }: NonNullable<Operation["failure"]>): Error {
  if (kind === "conflict") return new TenantConflictError(message);
  if (kind === "unavailable") return new UnavailableAnswer(message, 5);
  return new HttpError(500, message);
}

const statusCodes = { conflict: 409, unavailable: 503, failed: 500 } as const;

function addressOf({ id }: Operation): string {
  return `/api/operations/${id}`;
}
