import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LanguageClient } from "./language-client";
import { startPlugin, type PluginProcess } from "./plugin-process";

let project: string;
let host: PluginProcess;
let client: LanguageClient;

beforeAll(async () => {
  project = mkdtempSync(join(tmpdir(), "language-packages-"));
  host = await startPlugin("language-host/main.js");
  client = new LanguageClient(host.address);
});

afterAll(async () => {
  client.close();
  await host.stop();
  rmSync(project, { recursive: true });
});

test("finds the plugins and packages of a program in its node_modules, links and all", async () => {
  write(".", { name: "project", dependencies: { "@pulumi/cloud": "*", plain: "*", gone: "*" } });
  write("node_modules/@pulumi/cloud", {
    name: "@pulumi/cloud",
    version: "1.2.3",
    pulumi: { resource: true },
  });
  write("node_modules/plain", { name: "plain", version: "0.1.0" });
  write("node_modules/plain/node_modules/nested", {
    name: "nested",
    version: "9.0.0",
    pulumi: { resource: true, name: "deep" },
  });
  symlinkSync(project, join(project, "node_modules/itself"));

  expect(await client.requiredPlugins(project)).toEqual(["cloud v1.2.3", "deep v9.0.0"]);
  expect(await client.dependencies(project, false)).toEqual(["@pulumi/cloud", "plain"]);
  expect(await client.dependencies(project, true)).toContain("nested");
});

test("installs with npm, and says so when another package manager is asked for", async () => {
  write("fresh", { name: "fresh" });
  await client.install(join(project, "fresh"), "auto");
  expect(readFileSync(join(project, "fresh/package-lock.json"), "utf8")).toContain('"fresh"');

  await expect(client.install(project, "pnpm")).rejects.toThrow(
    "The stand-in for the Node language host installs with npm, not with pnpm.",
  );
});

function write(path: string, manifest: object): void {
  mkdirSync(join(project, path), { recursive: true });
  writeFileSync(join(project, path, "package.json"), JSON.stringify(manifest));
}
