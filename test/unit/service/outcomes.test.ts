import { dependentsIn, wasCutOff } from "../../../service/pulumi/outcomes";

test.each([
  "Command was killed with SIGKILL",
  "could not read plugin [/engine/bin/pulumi-resource-pulumi-nodejs]: exit status -1",
  "step admin: 14 UNAVAILABLE: Connection dropped",
  "the program was cut off from the engine: 1 CANCELLED: Call cancelled",
  "the program was cut off from the engine: the SDK does not say how",
  "step schema: 1 error occurred: dial tcp 127.0.0.1:5432: connect: connection refused",
  "step migrations: dbmate was ended by SIGKILL; run again",
])("a run that ended with %j is tried again", (fault) => {
  expect(wasCutOff(["something before", fault])).toBe(true);
});

test.each([
  "could not read plugin [/engine/bin/pulumi-resource-pulumi-nodejs]: exit status 1",
  "the program was cut off from the engine: 2 UNKNOWN: the input is not valid",
  'step migrations: migration 2_b.sql failed: pq: relation "a" already exists (42P07)',
])("a run that ended with %j would end so again", (fault) => {
  expect(wasCutOff(["something before", fault])).toBe(false);
});

test("what a tenant's tables are in use by is found in the engine's words, and nothing else of them", () => {
  const words =
    "step membership: Error: schema tenant_1 is in use from outside by view a, view b: drop that first\n  at x";
  expect(dependentsIn(["something before", words])).toBe("view a, view b");
  expect(dependentsIn(["step membership: timeout"])).toBeUndefined();
});
