import type { Request } from "express";

/** Whether the caller asks for a 202 at once instead of waiting for the end: `Prefer: respond-async`, RFC 7240 section 4.1. */
export function prefersAsync(request: Request): boolean {
  const preferences = (request.get("Prefer") ?? "").split(",");
  return preferences.some((text) => text.split(";")[0]?.trim().toLowerCase() === "respond-async");
}
