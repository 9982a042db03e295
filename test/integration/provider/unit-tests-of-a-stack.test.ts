import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { docBlock } from "../../support/docs";

const repository = path.resolve(__dirname, "../../../..");
const directory = mkdtempSync(path.join(tmpdir(), "unit-tests-of-a-stack-"));
beforeAll(() => {
  symlinkSync(path.join(repository, "node_modules"), path.join(directory, "node_modules"));
  writeFileSync(path.join(directory, "package.json"), JSON.stringify({ name: "shop" }));
});
afterAll(() => {
  rmSync(directory, { recursive: true });
});

/** Runs Node on a machine that has nothing set. */
function node(...args: string[]): { code: number | null; output: string } {
  const env = { PATH: process.env.PATH };
  const child = spawnSync(process.execPath, args, { cwd: directory, env, encoding: "utf8" });
  return { code: child.status, output: child.stdout + child.stderr };
}

function runTests(file: string, text: string): { code: number | null; output: string } {
  writeFileSync(path.join(directory, `${file}.ts`), text);
  const compilerOptions = { strict: true, module: "node16", skipLibCheck: true, types: ["node"] };
  const config = { compilerOptions, files: [`${file}.ts`] };
  writeFileSync(path.join(directory, "tsconfig.json"), JSON.stringify(config));
  const compiled = node(path.join(repository, "node_modules/typescript/bin/tsc"));
  expect(compiled).toEqual({ code: 0, output: "" });
  // The same report from every version of Node: without a terminal 20 says TAP, 23 and later do not.
  return node("--test", "--test-reporter=tap", `${file}.js`);
}

const documented = docBlock("docs/stacks.md", "Unit tests of a stack", "ts");

test("unit tests of a stack, as documented, pass without a database and without an environment", () => {
  const { code, output } = runTests("stack.test", documented);
  expect(output).toMatch(/^# pass 2$/m);
  expect(output).toMatch(/^# fail 0$/m);
  expect(code).toBe(0);
  expect(output).not.toContain("DATABASE_URL");
});

test("a fault that only an output has fails them, by the tenant and the input, and no password is told", () => {
  const password = documented.replace("a-long-first-password", "hunter2");
  const { code, output } = runTests("fault.test", password);
  expect(output).toContain("tenant acme: adminPassword: must have at least 8 characters");
  expect(output).not.toContain("hunter2");
  expect(code).toBe(1);
});
