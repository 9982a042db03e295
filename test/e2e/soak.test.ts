import { spawn } from "node:child_process";
import path from "node:path";
import { checkout } from "../../engine/obtain/places";
import { ending } from "../support/fake-checkout";

const soak = (...args: string[]) =>
  ending(spawn(process.execPath, [path.join(checkout, "dist/test/soak/main.js"), ...args]));

test("after trouble at random nothing is lost, nothing is doubled, and nothing is left", async () => {
  const { code, stdout } = await soak("--minutes", "0.2", "--seed", "7");
  expect({ code, stdout }).toMatchObject({ code: 0 });
  expect(stdout).toContain("All checks hold.");
  expect(stdout).toContain("--seed 7");
  expect(stdout).toMatch(/an accepted operation succeeded +\d+ ok/);
});

test("an option that it does not know is told of, and nothing is started", async () => {
  const { code, stderr } = await soak("--hours", "1");
  expect(code).toBe(2);
  expect(stderr).toContain("--hours");
});
