import { join } from "node:path";
import { ProgramInfo, RunRequest } from "@pulumi/pulumi/proto/language_pb";
import { Struct, type JavaScriptValue } from "google-protobuf/google/protobuf/struct_pb";
import { programCommand } from "../../../engine/standins/language-host/command";
import { runtimeOptions } from "../../../engine/standins/language-host/runtime-options";
import { requiredPlugins } from "../../../engine/standins/language-host/packages";

const ROOT = join(__dirname, "../../../..");
const ENGINE = { address: "127.0.0.1:5000", tracing: "" };

function options(given: Record<string, JavaScriptValue>): Struct {
  return Struct.fromJavaScript(given);
}

function request(directory: string, given: Record<string, JavaScriptValue> = {}): RunRequest {
  const info = new ProgramInfo();
  info.setRootDirectory("/project");
  info.setProgramDirectory(directory);
  info.setEntryPoint(".");
  info.setOptions(options(given));
  const made = new RunRequest();
  made.setInfo(info);
  made.setMonitorAddress("127.0.0.1:6000");
  made.setOrganization("organization");
  made.setProject("p");
  made.setStack("dev");
  made.setParallel(16);
  return made;
}

test("a program gets what the SDK's launcher takes from the official language host", () => {
  const made = request(ROOT, { typescript: false, nodeargs: "--max-old-space-size=99" });
  made.setDryrun(true);
  made.setArgsList(["an argument"]);
  made.getConfigMap().set("p:name", "Acme: Corp").set("aws:config:region", "eu");
  made.setConfigsecretkeysList(["p:name"]);
  const { args, env } = programCommand(made, { ...ENGINE, tracing: "http://zipkin" });
  expect(args.slice(2)).toEqual([
    "--max-old-space-size=99",
    join(ROOT, "node_modules/@pulumi/pulumi/cmd/run/index.js"),
    ...["--monitor", "127.0.0.1:6000", "--engine", "127.0.0.1:5000"],
    ...["--organization", "organization", "--project", "p", "--root-directory", "/project"],
    ...["--stack", "dev", "--pwd", ROOT, "--parallel", "16", "--tracing", "http://zipkin"],
    ...["--dry-run", ".", "an argument"],
  ]);
  expect(env).toEqual({
    PULUMI_CONFIG: '{"aws:config:region":"eu","p:config:name":"Acme: Corp"}',
    PULUMI_CONFIG_SECRET_KEYS: '["p:name"]',
  });
});

test("TypeScript is compiled on the way unless the project says not to", () => {
  expect(programCommand(request(ROOT), ENGINE).env).toMatchObject({
    PULUMI_NODEJS_TYPESCRIPT: "true",
  });
  expect(programCommand(request(ROOT, { tsconfig: "a.json" }), ENGINE).env).toMatchObject({
    PULUMI_NODEJS_TSCONFIG_PATH: "a.json",
  });
});

test("a program without its SDK, or one to be debugged, is told what is missing", () => {
  expect(() => programCommand(request("/"), ENGINE)).toThrow(
    "It looks like the Pulumi SDK has not been installed. Have you run pulumi install?",
  );
  const debugged = request(ROOT);
  debugged.setAttachDebugger(true);
  expect(() => programCommand(debugged, ENGINE)).toThrow(/stand-in .* attaches no debugger/);
});

test("Node's arguments are split at spaces, but not within quotes", () => {
  const line = `--require "./with space.js"  --title='it is' -r a"b c"d`;
  expect(runtimeOptions(options({ nodeargs: line })).nodeargs).toEqual([
    "--require",
    "./with space.js",
    "--title=it is",
    "-r",
    "ab cd",
  ]);
});

test.each([
  [{ typescript: "no" }, "typescript option must be a boolean"],
  [{ tsconfig: 1 }, "tsconfigpath option must be a string"],
  [{ nodeargs: true }, "nodeargs option must be a string"],
  [{ packagemanager: 5 }, "packagemanager option must be a string"],
])("%j is refused", (given, message) => {
  expect(() => runtimeOptions(options(given))).toThrow(message);
});

test("a package's plugin is named by its package.json, Pulumi's own by its name", () => {
  const plugins = requiredPlugins([
    { name: "@pulumi/postgresql", version: "3.18.1", pulumi: { resource: true } },
    { name: "@pulumi/pulumi", version: "3.246.0", pulumi: {} },
    { name: "@pulumi/off", version: "1.0.0", pulumi: { resource: false } },
    { name: "@other/nameless", version: "1.0.0", pulumi: { resource: true } },
    {
      name: "@other/cloud",
      version: "1.0.0",
      pulumi: { resource: true, name: "cloud", version: "v2.0.0", server: "https://x.example" },
    },
    {
      name: "@pulumi/tf",
      version: "0.1.0",
      pulumi: {
        resource: true,
        name: "terraform-provider",
        parameterization: { name: "tf", version: "4.0.0", value: "e30=" },
      },
    },
  ]);
  const found = plugins.map((plugin) => [
    plugin.getName(),
    plugin.getVersion(),
    plugin.getServer(),
    plugin.getParameterization()?.toObject(),
  ]);
  expect(found).toEqual([
    ["postgresql", "v3.18.1", "", undefined],
    ["cloud", "v2.0.0", "https://x.example", undefined],
    ["terraform-provider", "v0.1.0", "", { name: "tf", version: "4.0.0", value: "e30=" }],
  ]);
});
