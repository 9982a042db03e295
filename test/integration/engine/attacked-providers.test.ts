import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { credentials } from "@grpc/grpc-js";
import { ResourceProviderClient } from "@pulumi/pulumi/proto/provider_grpc_pb";
import {
  CheckRequest,
  ConfigureRequest,
  CreateRequest,
  DeleteRequest,
} from "@pulumi/pulumi/proto/provider_pb";
import { Struct, type JavaScriptValue } from "google-protobuf/google/protobuf/struct_pb";
import { obtainEngine } from "../../../engine/obtain/obtain";
import { checkout } from "../../../engine/obtain/places";
import { keepProviders, type KeptProviders } from "../../../engine/providers/kept-providers";
import { providerText, providerTexts } from "../../../provider/resources/dynamic";

// Another user of the machine finds the providers' ports, and asks them for what is not theirs.

let kept: KeptProviders;
let ports: Readonly<Record<string, number>>;
let provider: ResourceProviderClient;
const folder = mkdtempSync(path.join(tmpdir(), "attacked-"));
const loot = path.join(folder, "loot");

beforeAll(async () => {
  const engine = await obtainEngine(() => undefined);
  const env = { ...process.env, ...engine.env };
  kept = keepProviders({
    ...{ engine, cwd: checkout, code: providerTexts, report: () => undefined },
    env: { postgresql: env, "pulumi-nodejs": env },
  });
  const { attach } = await kept.lease(15_000);
  ports = Object.fromEntries(
    attach.split(",").map((entry): [string, number] => {
      const [name = "", port] = entry.split(":");
      return [name, Number(port)];
    }),
  );
  provider = new ResourceProviderClient(
    `127.0.0.1:${ports["pulumi-nodejs"]}`,
    credentials.createInsecure(),
    { "grpc.enable_http_proxy": 0 },
  );
  // An engine calls this before anything else.
  const configuration = new ConfigureRequest();
  configuration.setArgs(struct({}));
  await refusal((done) => provider.configure(configuration, done));
});
afterAll(async () => {
  provider.close();
  await kept.stop();
  rmSync(folder, { recursive: true });
});

const struct = (fields: Record<string, JavaScriptValue>) => Struct.fromJavaScript(fields);

/** What the provider says of a call that it refuses; undefined when it serves it. */
function refusal(
  call: (done: (error: { message: string } | null) => void) => unknown,
): Promise<string | undefined> {
  return new Promise((resolve) => call((error) => resolve(error?.message)));
}

const check = (text: JavaScriptValue, more: Record<string, JavaScriptValue> = {}) => {
  const request = new CheckRequest();
  request.setOlds(struct({ __provider: text }));
  request.setNews(struct({ __provider: text, ...more }));
  return refusal((done) => provider.check(request, done));
};

describe("the dynamic provider runs no code but that of the tenants' resources:", () => {
  const steal = `require("fs").writeFileSync(${JSON.stringify(loot)}, "DATABASE_URL");`;
  const known = providerText("tenantRecord");

  test.each<[string, string]>([
    ["foreign code", `${steal} exports.handler = () => ({ create: async () => ({ id: "1" }) });`],
    ["known code with more behind it", `${known} ${steal}`],
    ["known code with more before it", `${steal} ${known}`],
    ["another module", known.replace("pulumi-tenant/resources", loot)],
    ["another name", known.replace("tenantRecord", "constructor.constructor(`x`)")],
    ["nothing", ""],
  ])("%s is refused", async (_, text) => {
    const refused: unknown = expect.stringMatching(
      /refused: .* the code in __provider is none of theirs/,
    );
    expect(await check(text)).toEqual(refused);
    // The old text counts where the new one is not known yet.
    const unknown = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";
    const request = new CheckRequest();
    request.setOlds(struct({ __provider: text }));
    request.setNews(struct({ __provider: unknown }));
    expect(await refusal((done) => provider.check(request, done))).toEqual(refused);
    const create = new CreateRequest();
    create.setProperties(struct({ __provider: text }));
    expect(await refusal((done) => provider.create(create, done))).toEqual(refused);
    const end = new DeleteRequest();
    end.setProperties(struct({ __provider: text }));
    expect(await refusal((done) => provider.delete(end, done))).toEqual(refused);
    expect(existsSync(loot)).toBe(false);
  });

  test.each(providerTexts)("%s is served", async (text) => {
    expect(await check(text)).toBeUndefined();
  });
});

describe("a provider answers", () => {
  /** Asks as that user; tells what came back, or that nothing did. */
  function asUser(port: number | undefined, uid: number | undefined): Promise<string> {
    const ask = `
      const session = require("node:http2").connect("http://127.0.0.1:${port}");
      session.on("error", () => {}).on("close", () => console.log("closed"));
      const path = "/pulumirpc.ResourceProvider/GetPluginInfo";
      const headers = { "content-type": "application/grpc", te: "trailers" };
      const call = session.request({ ":method": "POST", ":path": path, ...headers });
      call.on("error", () => {}).on("response", () => console.log("answered")).resume();
      call.on("end", () => session.close());
      call.end(Buffer.alloc(5));`;
    return new Promise((resolve, reject) => {
      const options = {
        cwd: "/",
        timeout: 20_000,
        ...(uid === undefined ? {} : { uid, gid: uid }),
      };
      execFile(process.execPath, ["-e", ask], options, (error, stdout) => {
        if (error) reject(new Error(error.message));
        else resolve(stdout.trim().replaceAll("\n", ", "));
      });
    });
  }

  test.each(["pulumi-nodejs", "postgresql"])("its own user: %s", async (name) => {
    expect(await asUser(ports[name], undefined)).toBe("answered, closed");
  });

  // Only root may become somebody else to try it; who else runs this has the test of the kernel's lists.
  if (process.getuid?.() === 0) {
    test.each(["pulumi-nodejs", "postgresql"])("nobody else: %s", async (name) => {
      expect(await asUser(ports[name], 65_534)).toBe("closed");
    });
  }
});
