import { createRequire } from "node:module";
import path from "node:path";
import { runInNewContext } from "node:vm";
import { Pool } from "pg";
import { ModuleKind, transpileModule } from "typescript";
import { verifyPassword } from "../../../provider/contract/passwords";
import { adminMembership, adminUser, tenantRecord } from "../../../provider/resources";
import { docBlock } from "../../support/docs";
import { useResourceDatabase } from "../../support/resources";

const database = useResourceDatabase();
const { urlEnv } = database;
let pool: Pool;

interface Product {
  readonly invite: (pool: Pool) => Promise<{ email: string; token: string }[]>;
  readonly accept: (pool: Pool, token: string, password: string) => Promise<boolean>;
}

/** The product's code as the page shows it. */
function product(): Product {
  const text = docBlock("docs/stacks.md", "An admin who sets a password", "ts");
  const { outputText } = transpileModule(text, {
    compilerOptions: { module: ModuleKind.CommonJS },
  });
  const exports = {} as Product;
  const load = createRequire(path.resolve(__dirname, "../../../../package.json"));
  runInNewContext(outputText, { exports, require: load });
  return exports;
}

/** An active tenant whose admin was given no password. */
async function withoutPassword(slug: string): Promise<string> {
  const common = { urlEnv, forceDestroy: false };
  const { id: tenantId } = await tenantRecord.create({ ...common, name: "T", slug, owner: slug });
  const email = `admin@${slug}.example`;
  const user = { ...common, tenantId, email, firstName: "Ana", lastName: "Diaz" };
  const { id: userId } = await adminUser.create(user);
  await adminMembership.create({ ...common, tenantId, userId, status: "active" });
  return email;
}
const hashOf = async (email: string) =>
  (
    await database.sql<{ hash: string | null }>(
      "select password_hash as hash from users where email = $1",
      [email],
    )
  )[0]?.hash;

beforeAll(async () => {
  await database.sql(docBlock("docs/stacks.md", "An admin who sets a password", "sql"));
  pool = new Pool({ connectionString: process.env[urlEnv] });
  // The database may be dropped before the pool ends.
  pool.on("error", () => undefined);
});
afterAll(() => pool.end());

test("an admin without a password is invited once, and sets one by the link, once", async () => {
  const email = await withoutPassword("acme");
  const { invite, accept } = product();
  const [invited, ...others] = await invite(pool);
  expect([invited?.email, others]).toEqual([email, []]);
  expect(await invite(pool)).toEqual([]);
  const token = invited?.token ?? "";
  expect(await accept(pool, `${token}x`, "a quiet purple river")).toBe(false);
  expect(await hashOf(email)).toBeNull();
  expect(await accept(pool, token, "a quiet purple river")).toBe(true);
  expect(await verifyPassword((await hashOf(email)) ?? "", "a quiet purple river")).toBe(true);
  expect(await accept(pool, token, "another quiet river")).toBe(false);
  expect(await verifyPassword((await hashOf(email)) ?? "", "a quiet purple river")).toBe(true);
  expect(await invite(pool)).toEqual([]);
});

test("a link that has expired sets nothing, and another is sent", async () => {
  const email = await withoutPassword("globex");
  const { invite, accept } = product();
  const [first] = await invite(pool);
  await database.sql("update invitations set expires_at = now()");
  expect(await accept(pool, first?.token ?? "", "a quiet purple river")).toBe(false);
  expect(await hashOf(email)).toBeNull();
  const [second] = await invite(pool);
  expect(await accept(pool, second?.token ?? "", "a quiet purple river")).toBe(true);
});
