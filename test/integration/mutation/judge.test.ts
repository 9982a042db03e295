import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { argumentsOf, processIds } from "../../../engine/system/proc";
import { Coverage } from "../../mutation/coverage";
import { Judge } from "../../mutation/judge";
import { copyTree, type Tree } from "../../mutation/tree";

const real = path.resolve(__dirname, "../../../..");
const testFile = "test/integration/provider/size.test.js";
const unitTest = "test/unit/provider/size.test.js";

const code = `
exports.isBig = (n) => n > 10;
exports.isSmall = (n) => n < 10;
exports.wait = () => { for (const end = 1; end < 1; ) end; };
exports.codeOfAnother = () => 1;
exports.notAsserted = () => 2;
`;
const tests = `
const { spawn, spawnSync } = require("node:child_process");
const { isBig, isSmall, wait, notAsserted } = require("../../../provider/size");
test("in this process", () => {
  expect(isBig(11)).toBe(true);
  if (isSmall(11)) spawn("sleep", ["4711.5"], { detached: true, stdio: "ignore" });
  expect(isSmall(11)).toBe(false);
  wait();
  notAsserted();
});
test("in another process", () => {
  const program = "process.exit(require('./dist/provider/size').codeOfAnother())";
  const cwd = __dirname + "/../../../..";
  expect(spawnSync(process.execPath, ["-e", program], { cwd }).status).toBe(1);
});
`;

/** A checkout with one module and its tests. */
const checkout = mkdtempSync(path.join(tmpdir(), "checkout-"));
const stop = new AbortController();
let tree: Tree;
let judge: Judge;
/** One that has a unit test only. */
let unitJudge: Judge;

beforeAll(() => {
  const inDist = (name: string) => path.join(checkout, "dist", name);
  for (const name of ["provider", "program", "fleet", "service", "test/support", "test/mutation"]) {
    mkdirSync(inDist(name), { recursive: true });
  }
  writeFileSync(inDist("provider/size.js"), code);
  for (const file of [testFile, unitTest]) {
    mkdirSync(path.dirname(inDist(file)), { recursive: true });
    writeFileSync(inDist(file), tests);
  }
  writeFileSync(
    path.join(checkout, "jest.config.js"),
    'module.exports = { rootDir: "dist/test" };',
  );
  const environment = "test/mutation/fail-fast.js";
  copyFileSync(path.join(real, "dist", environment), inDist(environment));
  symlinkSync(path.join(real, "node_modules"), path.join(checkout, "node_modules"));
  tree = copyTree(checkout, stop.signal);
  const coverage = new Coverage(tree, path.join(checkout, "coverage.json"), () => undefined);
  judge = new Judge({ tree, coverage, tests: [testFile], mostTests: 3 });
  unitJudge = new Judge({ tree, coverage, tests: [unitTest], mostTests: 3 });
});
afterAll(() => {
  tree.remove();
  rmSync(checkout, { recursive: true });
});

async function fateOf(original: string, replacement: string, mutator = "test", by = judge) {
  const start = code.indexOf(original);
  const change = { mutator, start, end: start + original.length, original, replacement };
  const broken = code.replace(original, replacement);
  const { fate } = await by.judge(
    { ...change, file: "provider/size.ts", line: 1, key: "" },
    { code: broken, offset: start },
  );
  return fate;
}

test.each([
  ["killed where a test fails", "n > 10", "n < 10", "killed"],
  ["killed where a test of another process fails", "=> 1", "=> 7", "killed"],
  ["not killed where no test fails", "=> 2", "=> 7", "survived"],
])("a mutant is %s", async (_, original, replacement, fate) => {
  expect(await fateOf(original, replacement)).toBe(fate);
  expect(tree.read("provider/size.js")).toBe(code);
});

test("a mutant of SQL is not tried on a unit test, which has no database", async () => {
  expect(await fateOf("n > 10", "n < 10", "SQL", unitJudge)).toBe("unreached");
  expect(await fateOf("n > 10", "n < 10", "test", unitJudge)).toBe("killed");
});

test("a mutant of a file that no test loads is unreached", async () => {
  writeFileSync(path.join(tree.root, "dist/provider/alone.js"), "exports.one = 1;");
  const change = { mutator: "test", start: 14, end: 15, original: "1", replacement: "2" };
  const mutant = { ...change, file: "provider/alone.ts", line: 1, key: "" };
  const { fate } = await judge.judge(mutant, { code: "exports.one = 2;", offset: 14 });
  expect(fate).toBe("unreached");
});

test("a mutant that never ends is killed, and one that leaves a process behind leaves none", async () => {
  expect(await fateOf("end < 1;", "end < 2;")).toBe("killed");
  expect(await fateOf("n < 10", "n > 10")).toBe("killed");
  const sleeping = processIds().filter((pid) => argumentsOf(pid)?.includes("4711.5"));
  expect(sleeping).toEqual([]);
});
