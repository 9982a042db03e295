import path from "node:path";
import type { TenantDeclaration } from "../../../program/stack";
import type { EngineRuns } from "../../../service/runs/engine-runs";
import { startHosts } from "../../../service/runs/hosts";

let hosts: EngineRuns;

beforeAll(() => {
  hosts = startHosts({
    pulumi: "/bin/false",
    env: process.env,
    size: 4,
    timeout: 4_000,
    memory: 64,
    program: path.resolve(__dirname, "../../support/misbehaving-host.js"),
  });
});
afterAll(() => hosts.close("now"));

const run = (slug: string) =>
  hosts.run({ slug } as Partial<TenantDeclaration> as TenantDeclaration, () => undefined);

describe("a run that misbehaves fails alone, one that", () => {
  test.each([
    ["rejects", "failed", "nobody awaits this"],
    ["loops", "failed", "longer than 4 s"],
    ["hangs", "failed", "longer than 4 s"],
    ["eats", "failed", "more memory than"],
    ["dies", "interrupted", "the program host ended"],
  ])("%s", async (slug, result, fault) => {
    const [bad, ...good] = await Promise.all([run(slug), run("behaves"), run("behaves")]);
    expect(bad).toMatchObject({ result, faults: [expect.stringContaining(fault)] });
    expect(good).toEqual([{ result: "succeeded" }, { result: "succeeded" }]);
    // And the hosts are as many as before.
    const after = await Promise.all(["behaves", "behaves", "behaves", "behaves"].map(run));
    expect(after.map(({ result: each }) => each)).toEqual(Array(4).fill("succeeded"));
  });
});
