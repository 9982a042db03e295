import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { description } from "../../support/described";
import { docBlock } from "../../support/docs";

const modules = path.resolve(__dirname, "../../../../node_modules");
const folder = mkdtempSync(path.join(tmpdir(), "openapi-client-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** Runs a program of node_modules in the folder. @returns what it printed, and its exit code. */
function run(program: string, ...args: string[]) {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [path.join(modules, program), ...args],
    { cwd: folder, encoding: "utf8" },
  );
  return { status, output: stdout + stderr };
}

beforeAll(() => {
  symlinkSync(modules, path.join(folder, "node_modules"));
  writeFileSync(path.join(folder, "openapi.json"), JSON.stringify(description));
  const made = run("openapi-typescript/bin/cli.js", "openapi.json", "--output", "api.d.ts");
  expect(made).toMatchObject({ status: 0 });
});

function compile(client: string) {
  writeFileSync(path.join(folder, "client.ts"), client);
  const options = ["--noEmit", "--strict", "--skipLibCheck", "--target", "es2022"];
  return run(
    ...(["typescript/bin/tsc", ...options, "--module", "preserve", "--types", "node"] as const),
    "client.ts",
  );
}

const client = docBlock("docs/http-api.md", "OpenAPI", "ts");

test("the client of docs/http-api.md compiles against what is made of the description", () => {
  expect(compile(client)).toEqual({ status: 0, output: "" });
});

test.each([
  ["a field that is not known", client.replace("slug, adminEmail", "slugs: slug, adminEmail")],
  ["an address that is not there", client.replace("/setup", "/set-up")],
  ["a field of the answer that is not there", client.replace("data.id", "data.identity")],
])("it does not with %s", (_what, faulty) => {
  expect(compile(faulty).output).toMatch(/client\.ts\(\d+,\d+\): error TS/);
});
