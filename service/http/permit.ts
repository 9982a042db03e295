import type { Request, RequestHandler } from "express";
import { z } from "zod";
import type { Permission } from "../auth/permissions";
import { ForbiddenError, UnauthorizedError } from "./errors";
import type { TokenSettings } from "../auth/token-settings";
import { createVerifier, TokenRefusedError } from "../auth/verify-token";

/** Makes a handler that lets only callers with the permission pass. NOTHING lets every valid token pass. */
export type Permit = (permission: Permission | "NOTHING") => RequestHandler;

/** Who sent a request, by the claims of the token. */
interface Caller {
  /** The claim `sub`; null for a token without one. */
  readonly subject: string | null;
  readonly permissions: readonly string[];
  readonly isSuperAdmin: boolean;
}

/** Whether the sender of a request that a {@link Permit} let pass may see operations that others asked for. */
export function mayView({ caller }: Request): boolean {
  return caller !== undefined && has(caller, "VIEW_TENANTS");
}

const permissions = z.array(z.string());

/**
 * Reads bearer tokens (RFC 6750) that are JSON Web Tokens with an expiry, signed as the settings say.
 *
 * A token gives the permissions that its claim `permissions`, a list of strings, names; it gives all of them
 * when its claim `role` is SUPER_ADMIN.
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
    const { sub, role, permissions: list } = await claimsOf(request.headers.authorization);
    const caller: Caller = {
      subject: typeof sub === "string" ? sub : null,
      permissions: permissions.safeParse(list).data ?? [],
      isSuperAdmin: role === "SUPER_ADMIN",
    };
    if (permission !== "NOTHING" && !has(caller, permission)) {
      throw new ForbiddenError(`The token does not permit ${permission}`);
    }
    request.caller = caller;
    next();
  };
}

function has({ permissions, isSuperAdmin }: Caller, permission: Permission): boolean {
  return isSuperAdmin || permissions.includes(permission);
}

function bearerToken(header: string | undefined): string {
  const [, token] = /^Bearer +([^\s]+) *$/i.exec(header ?? "") ?? [];
  if (token !== undefined) return token;
  if (/^Bearer\b/i.test(header ?? "")) throw new UnauthorizedError("The token is not valid");
  throw new UnauthorizedError("A bearer token is needed", "missing");
}

declare module "http" {
  interface IncomingMessage {
    /** Set once the request's token has been verified. */
    caller?: Caller;
  }
}
