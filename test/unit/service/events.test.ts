import type { EngineEvent } from "@pulumi/pulumi/automation";
import { deletedOf, faultsOf, lastWords, stepsOf } from "../../../service/pulumi/events";

const urn =
  "urn:pulumi:tenant-1::tenant-service::pulumi-tenant:index:Tenant$pulumi-nodejs:dynamic/tenant:AdminUser::an-id";
const event = (parts: object) => ({ sequence: 1, timestamp: 1, ...parts }) as EngineEvent;
const diagnostic = (parts: object) =>
  event({ diagnosticEvent: { severity: "error", message: "", color: "never", ...parts } });

describe("the faults of an event", () => {
  test.each([
    ["are told with their step", { message: " it is full \n", urn }, ["step admin: it is full"]],
    ["are told without one that it does not name", { message: "it is full" }, ["it is full"]],
    ["are not the engine's own last word", { message: "update failed\n", urn }, []],
    ["are not warnings", { message: "it is full", urn, severity: "warning" }, []],
  ])("%s", (_, parts, faults) => {
    expect(faultsOf(diagnostic(parts))).toEqual(faults);
  });

  test("are none where it is of another kind", () => {
    expect(faultsOf(event({}))).toEqual([]);
  });
});

describe("the steps of an event", () => {
  const metadata = { op: "create", urn, type: "pulumi-nodejs:dynamic/tenant:AdminUser" };
  const step = { tenantId: "an-id", step: "admin" };

  test.each([
    ["resourcePreEvent", "running"],
    ["resOutputsEvent", "succeeded"],
    ["resOpFailedEvent", "failed"],
  ])("of %s are %s", (name, status) => {
    expect(stepsOf(event({ [name]: { metadata } }))).toEqual([{ ...step, status }]);
    expect(stepsOf(event({ [name]: { metadata: { ...metadata, op: "refresh" } } }))).toEqual([]);
  });

  test.each([
    ["pulumi-nodejs:dynamic/tenant:Record", "record"],
    ["postgresql:index/schema:Schema", "schema"],
    ["pulumi-nodejs:dynamic/tenant:Migrations", "migrations"],
    ["pulumi-nodejs:dynamic/tenant:Membership", "membership"],
  ])("of a resource %s are those of %s", (type, name) => {
    const [found] = stepsOf(event({ resOutputsEvent: { metadata: { ...metadata, type } } }));
    expect(found?.step).toBe(name);
  });

  test("of a resource that is no step are none", () => {
    const type = "pulumi-tenant:index:Tenant";
    expect(stepsOf(event({ resOutputsEvent: { metadata: { ...metadata, type } } }))).toEqual([]);
    expect(stepsOf(event({}))).toEqual([]);
  });
});

test("a tenant of whom something is deleted is told, and no other", () => {
  const of = (op: string) => deletedOf(event({ resourcePreEvent: { metadata: { op, urn } } }));
  expect(of("delete")).toBe("an-id");
  expect(of("update")).toBeUndefined();
  expect(deletedOf(event({}))).toBeUndefined();
});

describe("the CLI's last words", () => {
  test.each([
    ["are its errors, once each", "code: 255\nerror: a\nerror: a\nerror: b", "error: a error: b"],
    ["are what it wrote, where it names no error", "code: 1\n stderr: it ended\nmore", "it ended"],
    ["are the first line of anything else", "what now\nmore", "what now"],
  ])("%s", (_, text, words) => {
    expect(lastWords(new Error(text))).toBe(words);
    expect(lastWords(text)).toBe(words);
  });

  test("are cut where they are very long", () => {
    expect(lastWords(`error: ${"x".repeat(2_000)}`)).toHaveLength(1_000);
  });
});
