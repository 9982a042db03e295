import { execFile } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { developmentSecrets } from "../../../service/config/development-secrets";
import { testSecret } from "../../support/service-tokens";

const script = path.resolve(__dirname, "../../../service/token.js");
const dataDir = mkdtempSync(path.join(tmpdir(), "token-test-"));
afterAll(() => rmSync(dataDir, { recursive: true }));

const given = { JWT_SECRET: testSecret, DATABASE_URL: "postgres://app@db/app" };

/** Runs the command as `npm run token` does. */
function run(args: string[], env: Record<string, string> = given) {
  return new Promise<{ code: number; stdout: string; stderr: string }>((resolve) => {
    const child = execFile(process.execPath, [script, ...args], { env }, (_, stdout, stderr) =>
      resolve({ code: child.exitCode ?? -1, stdout, stderr }),
    );
  });
}

async function verified(token: string, secret = testSecret) {
  const { jwtVerify } = await import("jose");
  return (await jwtVerify(token, Buffer.from(secret), { algorithms: ["HS256"] })).payload;
}

test("the token is alone on standard output, and says what was asked for", async () => {
  const { code, stdout, stderr } = await run(
    [
      "--permissions",
      "CREATE_TENANT,VIEW_TENANTS",
      "--expires-in",
      "2h",
      "--subject",
      "ci",
      "--role",
      "R",
    ],
    { ...given, JWT_ISSUER: "https://id.example", JWT_AUDIENCE: "tenants" },
  );
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(stdout).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+\n$/);
  const claims = await verified(stdout.trim());
  expect(claims).toMatchObject({
    permissions: ["CREATE_TENANT", "VIEW_TENANTS"],
    sub: "ci",
    role: "R",
    iss: "https://id.example",
    aud: "tenants",
  });
  expect((claims.exp ?? 0) - (claims.iat ?? 0)).toBe(7_200);
});

test("in embedded mode it is signed with the secret that the first start made", async () => {
  const args = ["--permissions", "CREATE_TENANT"];
  const early = await run(args, { DATA_DIR: dataDir });
  expect(early.code).toBe(1);
  expect(early.stderr).toBe("there is no development secret yet: npm start makes it\n");
  const { jwtSecret } = developmentSecrets(dataDir);
  const { stdout } = await run(args, { DATA_DIR: dataDir });
  await expect(verified(stdout.trim(), jwtSecret)).resolves.toMatchObject({
    permissions: ["CREATE_TENANT"],
  });
});

test.each([
  ["no permissions", [], /^--permissions takes CREATE_TENANT, VIEW_TENANTS, UPDATE_TENANT/],
  ["an unknown permission", ["--permissions", "ROOT"], /^--permissions takes/],
  [
    "an end that is none",
    ["--permissions", "CREATE_TENANT", "--expires-in", "soon"],
    /^--expires-in takes/,
  ],
  ["an unknown option", ["--forever"], /Unknown option '--forever'/],
])("%s is refused in one line", async (_, args, reason) => {
  const { code, stdout, stderr } = await run(args);
  expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
  expect(stderr).toMatch(reason);
});

test("with a public key only it says who has the tokens", async () => {
  const { publicKey } = generateKeyPairSync("ed25519");
  const { code, stderr } = await run(["--permissions", "CREATE_TENANT"], {
    JWT_PUBLIC_KEY: publicKey.export({ type: "spki", format: "pem" }).toString(),
  });
  expect(code).toBe(1);
  expect(stderr).toBe("only JWT_PUBLIC_KEY is set: tokens come from whoever has its private key\n");
});

test("--help tells how", async () => {
  const { code, stdout } = await run(["--help"], {});
  expect(code).toBe(0);
  expect(stdout).toContain("npm run token -- --permissions CREATE_TENANT --expires-in 1h");
});
