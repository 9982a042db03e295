import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { RunRequest } from "@pulumi/pulumi/proto/language_pb";
import { LanguageClient, programInfo } from "./language-client";
import { startPlugin, type PluginProcess } from "./plugin-process";

/** Takes the place of the SDK's launcher: tells what it got, and ends as its argument says. */
const LAUNCHER = `
  const [how] = process.argv.slice(-1);
  const { writeFileSync, renameSync } = require("node:fs");
  writeFileSync("TOLD.draft", JSON.stringify([process.pid, process.env.PULUMI_CONFIG]));
  renameSync("TOLD.draft", "TOLD");
  if (how === "stays") setInterval(() => {}, 1000);
  else if (how === "throws") {
    const error = new Error("no such luck");
    error.stack = "Error: no such luck\\n    at x (/a/node_modules/@pulumi/resource.ts:1:2)";
    require("node:util").inspect(error, { colors: true });
  } else process.exit(Number(how));
`;

let directory: string;
let told: string;
let host: PluginProcess;
let client: LanguageClient;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "language-host-"));
  told = join(directory, "told.json");
  writeFileSync(join(directory, "launcher.js"), LAUNCHER.replaceAll("TOLD", told));
  host = await start();
  client = new LanguageClient(host.address);
});

afterAll(async () => {
  client.close();
  await host.stop();
  rmSync(directory, { recursive: true });
});

test("a program that ends well is a success, and gets the stack's configuration", async () => {
  const response = await client.run(program("0"));
  expect(response.toObject()).toEqual({ error: "", bail: false });
  expect(JSON.parse(readFileSync(told, "utf8"))).toEqual([
    expect.any(Number),
    '{"p:config:name":"Acme"}',
  ]);
});

test("a program that told its user what is wrong needs no more words", async () => {
  const response = await client.run(program("32"));
  expect(response.toObject()).toEqual({ error: "", bail: true });
});

test("any other exit code is in the error", async () => {
  const response = await client.run(program("3"));
  expect(response.toObject()).toEqual({
    error: "Program exited with non-zero exit code: 3",
    bail: false,
  });
});

test("an error whose stack Node would colour for ever is told at once", async () => {
  const start = performance.now();
  expect((await client.run(program("throws"))).getError()).toBe("");
  expect(performance.now() - start).toBeLessThan(5_000);
});

test("cancelling ends the program", async () => {
  const running = client.run(program("stays"));
  const pid = await toldPid();
  await client.cancel();
  expect((await running).getError()).toBe("Program was ended by SIGINT");
  expect(() => process.kill(pid, 0)).toThrow("ESRCH");
});

test("a killed engine takes language host and program with it", async () => {
  const other = await start();
  const link = new LanguageClient(other.address);
  const failing = expect(link.run(program("stays"))).rejects.toThrow();
  const pid = await toldPid();
  other.child.stdin.end();
  await once(other.child, "exit");
  await failing;
  link.close();
  expect(() => process.kill(pid, 0)).toThrow("ESRCH");
});

test("says that it is a stand-in, in `pulumi about` and for what it does not serve", async () => {
  const about = await client.about();
  expect(about.getVersion()).toBe(process.version);
  expect(about.getMetadataMap().get("language host")).toBe("stand-in");
  await expect(client.pack()).rejects.toThrow(
    "12 UNIMPLEMENTED: The stand-in for the Node language host does not serve Pack.",
  );
});

function start(): Promise<PluginProcess> {
  const PULUMI_LANGUAGE_NODEJS_RUN_PATH = join(directory, "launcher.js");
  return startPlugin("language-host/main.js", { PULUMI_LANGUAGE_NODEJS_RUN_PATH });
}

function program(how: string): RunRequest {
  rmSync(told, { force: true });
  const request = new RunRequest();
  request.setInfo(programInfo(directory));
  request.setMonitorAddress("127.0.0.1:1");
  request.getConfigMap().set("p:name", "Acme");
  request.setArgsList([how]);
  return request;
}

/** Waits until the program tells its process id. */
async function toldPid(): Promise<number> {
  for (;;) {
    try {
      return (JSON.parse(readFileSync(told, "utf8")) as [number])[0];
    } catch {
      await delay(20);
    }
  }
}
