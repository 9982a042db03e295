/** `npm run token`: prints a token signed with the configured secret, and nothing else, on stdout. */
import { parseArgs } from "node:util";
import type { z } from "zod";
import { readDevelopmentSecrets } from "./config/development-secrets";
import { EnvironmentError, parseEnvironment, variables } from "./config/variables";
import { signToken, type TokenClaims } from "./auth/sign-token";

const help = `Prints a token for the service, signed with JWT_SECRET or, without DATABASE_URL,
with the development secret that the first start made.

  npm run token -- --permissions CREATE_TENANT --expires-in 1h

  --permissions  CREATE_TENANT, VIEW_TENANTS, or both with a comma between
  --expires-in   how long it is good for: 90s, 15m, 1h, 7d (default: 1h)
  --subject      whom it is for (claim sub)
  --role         claim role; SUPER_ADMIN may do everything
  --help         prints this`;

const known = ["CREATE_TENANT", "VIEW_TENANTS"] as const;

const wanted = variables.pick({
  DATABASE_URL: true,
  DATA_DIR: true,
  JWT_SECRET: true,
  JWT_PUBLIC_KEY: true,
  JWT_ISSUER: true,
  JWT_AUDIENCE: true,
});

function main(): void {
  const args = readArguments(process.argv.slice(2));
  if (args === "help") {
    console.log(help);
    return;
  }
  const values = parseEnvironment(wanted, process.env);
  const claims = { ...args, issuer: values.JWT_ISSUER, audience: values.JWT_AUDIENCE };
  console.log(signToken(signingSecret(values), claims));
}

function readArguments(argv: string[]): "help" | Omit<TokenClaims, "issuer" | "audience"> {
  const { values } = parseArgs({
    args: argv,
    options: {
      permissions: { type: "string" },
      "expires-in": { type: "string", default: "1h" },
      subject: { type: "string" },
      role: { type: "string" },
      help: { type: "boolean" },
    },
  });
  if (values.help) return "help";
  const { subject, role, "expires-in": expiresIn } = values;
  const names = (values.permissions ?? "").split(",").filter((name) => name !== "");
  const permissions = known.filter((name) => names.includes(name));
  if (permissions.length < names.length || (names.length === 0 && role === undefined)) {
    throw new Error(`--permissions takes ${known.join(" and ")}, with a comma between`);
  }
  if (!/^[1-9]\d{0,5}[smhd]$/.test(expiresIn)) {
    throw new Error("--expires-in takes a number and s, m, h or d, such as 1h");
  }
  return { permissions, expiresIn, subject, role };
}

function signingSecret(values: z.infer<typeof wanted>): string {
  if (values.JWT_SECRET !== undefined) return values.JWT_SECRET;
  if (values.JWT_PUBLIC_KEY !== undefined) {
    throw new Error("only JWT_PUBLIC_KEY is set: tokens come from whoever has its private key");
  }
  if (values.DATABASE_URL !== undefined) {
    throw new Error("JWT_SECRET is not set: set it to the secret of the service");
  }
  const made = readDevelopmentSecrets(values.DATA_DIR);
  if (made === undefined) throw new Error("there is no development secret yet: npm start makes it");
  return made.jwtSecret;
}

try {
  main();
} catch (error) {
  const lines = error instanceof EnvironmentError ? error.lines : [messageOf(error)];
  console.error(lines.join("\n"));
  process.exitCode = 1;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
