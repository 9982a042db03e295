import { randomBytes } from "node:crypto";
import type { Config } from "./config/config";
import { permissions } from "./auth/permissions";
import { signToken } from "./auth/sign-token";

/** Reports, at the end of a start in embedded mode, where the service listens and a curl line to try it. */
export function sayWelcome(
  address: string,
  { developmentSecret, tokens }: Config,
  report: (line: string) => void,
): void {
  report(`\nServing at ${address}. Ctrl-C stops everything.`);
  if (developmentSecret === undefined) return;
  report('Set up the tenant "Acme Corp", with a development token that is good for 8 hours:\n');
  report(`${curlLine(address, developmentSecret, tokens)}\n`);
}

/** A curl line that can be pasted into a shell. */
function curlLine(address: string, secret: string, { issuer, audience }: Config["tokens"]): string {
  const token = signToken(secret, {
    permissions,
    subject: "developer",
    expiresIn: "8h",
    issuer,
    audience,
  });
  const body = JSON.stringify({
    name: "Acme Corp",
    slug: "acme-corp",
    adminEmail: "admin@acme.example",
    adminPassword: randomBytes(12).toString("base64url"),
    adminFirstName: "Ana",
    adminLastName: "Diaz",
  });
  // Single quotes are enough: no value here contains one.
  return (
    `curl -i ${address}/api/tenant/setup -H 'Authorization: Bearer ${token}' ` +
    `-H 'Content-Type: application/json' -d '${body}'`
  );
}
