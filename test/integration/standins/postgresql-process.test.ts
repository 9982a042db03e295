import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { scriptPath, startPlugin } from "./plugin-process";
import { ProviderClient } from "./provider-client";

const SCRIPT = "postgresql/main.js";

test("ends when the engine that started it is killed", async () => {
  const { child } = await startPlugin(SCRIPT);
  child.stdin.end();
  const [code] = (await once(child, "exit")) as [number | null];
  expect(code).toBe(0);
});

test("stays when it is started alone, to be attached to", async () => {
  const child = spawn(process.execPath, [scriptPath(SCRIPT)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [port] = (await once(createInterface(child.stdout), "line")) as [string];
  const client = new ProviderClient(`127.0.0.1:${port}`);
  expect(await client.attach()).toEqual({});
  client.close();
  const exit = once(child, "exit");
  child.kill("SIGTERM");
  expect(await exit).toEqual([0, null]);
});
