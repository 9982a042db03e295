import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { writeLauncher, type LaunchedPiece } from "../../../engine/standins/launchers";

const ROOT = join(__dirname, "../../../..");

let directory: string;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "launchers it's "));
});

afterAll(() => rmSync(directory, { recursive: true }));

test.each<[LaunchedPiece, string]>([
  ["language-host", tmpdir()],
  ["postgresql", tmpdir()],
  ["dynamic-provider", ROOT],
])("the launcher of the %s prints a port, wherever it is started", async (piece, cwd) => {
  const path = await writeLauncher(join(directory, "bin"), piece);
  expect(await writeLauncher(join(directory, "bin"), piece)).toBe(path);
  expect(statSync(path).mode & 0o777).toBe(0o755);

  const child = spawn(path, ["127.0.0.1:1"], { cwd, stdio: ["pipe", "pipe", "inherit"] });
  const exit = once(child, "exit");
  const [line] = (await once(createInterface(child.stdout), "line")) as [string];
  expect(Number(line)).toBeGreaterThan(0);
  // Started alone, with no pipe to an engine, it would stay.
  const orphan = spawn(path, ["127.0.0.1:1"], { cwd, stdio: ["pipe", "pipe", "inherit"] });
  await once(createInterface(orphan.stdout), "line");
  orphan.stdin.end();
  expect((await once(orphan, "exit"))[0]).toBe(0);
  // The script has become node: the signal is node's to answer.
  child.kill("SIGINT");
  expect((await exit)[1]).toBe(piece === "dynamic-provider" ? "SIGINT" : null);
});
