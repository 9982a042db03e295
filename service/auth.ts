import type { RequestHandler } from "express";
import { z } from "zod";
import { ForbiddenError, UnauthorizedError } from "./http/errors";
import type { TokenSettings } from "./token-settings";
import { createVerifier, TokenRefusedError } from "./verify-token";

/** What a caller may do. */
export type Permission = "CREATE_TENANT" | "VIEW_TENANTS";

/** Makes the handler that lets only callers with the permission pass. */
export type Permit = (permission: Permission) => RequestHandler;

const permissions = z.array(z.string());

/**
 * Bearer tokens, as RFC 6750 has them: JSON Web Tokens with an end, signed as the settings say.
 *
 * A token permits what its claim `permissions`, a list of strings, holds; everything, when its claim
 * `role` is SUPER_ADMIN.
 */
export function createPermit(settings: TokenSettings): Permit {
  const verifyToken = createVerifier(settings);

  async function claimsOf(header: string | undefined) {
    try {
      return await verifyToken(bearerToken(header));
    } catch (error) {
      if (!(error instanceof TokenRefusedError)) throw error;
      const expired = error.reason === "expired";
      throw new UnauthorizedError(expired ? "The token has expired" : "The token is not valid");
    }
  }

  return (permission) => async (request, _response, next) => {
    const claims = await claimsOf(request.headers.authorization);
    const granted = permissions.safeParse(claims.permissions).data ?? [];
    if (claims.role !== "SUPER_ADMIN" && !granted.includes(permission)) {
      throw new ForbiddenError(`The token does not permit ${permission}`);
    }
    next();
  };
}

function bearerToken(header: string | undefined): string {
  const [, token] = /^Bearer +([^\s]+) *$/i.exec(header ?? "") ?? [];
  if (token !== undefined) return token;
  if (/^Bearer\b/i.test(header ?? "")) throw new UnauthorizedError("The token is not valid");
  throw new UnauthorizedError("A bearer token is needed", "missing");
}
