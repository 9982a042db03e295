import { dependentsIn, outcomeOfEnd, wasCutOff } from "../../../service/pulumi/outcomes";

test.each([
  "Command was killed with SIGKILL",
  "could not read plugin [/engine/bin/pulumi-resource-pulumi-nodejs]: exit status -1",
  "step admin: 14 UNAVAILABLE: Connection dropped",
  "the program was cut off from the engine: 1 CANCELLED: Call cancelled",
  "the program was cut off from the engine: the SDK does not say how",
  "step schema: 1 error occurred: dial tcp 127.0.0.1:5432: connect: connection refused",
  "step migrations: dbmate was ended by SIGKILL; run again",
  "rpc error: code = Unavailable desc = transport",
  "rpc error: code = Canceled desc = context",
  "error reading from server: EOF",
  "error reading from server: read tcp 127.0.0.1:1",
  "the transport is closing",
  "resource plugin postgresql exited",
  "Plugin nodejs crashed",
  "the plugin has shut down",
  "plugin nodejs did not begin responding",
  "pq: terminating connection due to administrator command",
  "the database system is starting up",
  "the database system is shutting down",
  "the database system is in recovery mode",
  "step record: the database system is not yet accepting connections",
  "step record: the database system is not accepting connections",
  'database "app" is not currently accepting connections',
  "step record: cannot execute UPDATE in a read-only transaction",
  "Connection terminated unexpectedly",
  "Client has encountered a connection error and is not queryable",
  "server closed the connection unexpectedly",
  ...["57P01", "57P05", "53300", "08006"].map((state) => `step record: pq: words (${state})`),
  "sorry, too many clients already",
  'too many connections for role "app"',
  "remaining connection slots are reserved",
  ...["ECONNREFUSED", "ECONNRESET", "EPIPE", "ETIMEDOUT", "EHOSTUNREACH", "ENETUNREACH"].map(
    (code) => `connect ${code} 10.0.0.1:5432`,
  ),
  "read: connection reset by peer",
  "write: broken pipe",
  "unexpected EOF",
  "driver: bad connection",
  "timeout expired",
  "dial tcp: i/o timeout",
  "write state.json: no space left on device",
  "Disk quota exceeded",
  "write state.json: file too large",
])("a run that ended with %j is tried again", (fault) => {
  expect(wasCutOff(["something before", fault])).toBe(true);
});

test.each([
  "could not read plugin [/engine/bin/pulumi-resource-pulumi-nodejs]: exit status 1",
  "the program was cut off from the engine: 2 UNKNOWN: the input is not valid",
  'step migrations: migration 2_b.sql failed: pq: relation "a" already exists (42P07)',
  "could not read plugin [/engine/bin/pulumi-resource-pulumi-nodejs]: exit status -12",
  "rpc error: code = Unavailability desc = x",
  "step record: 114 UNAVAILABLE_X",
  "step record: pq: words (57P06)",
  "step record: order 1057P01 is refused",
  "the plugin is too old",
])("a run that ended with %j would end so again", (fault) => {
  expect(wasCutOff(["something before", fault])).toBe(false);
});

test("what a tenant's tables are in use by is found in the engine's words, and nothing else of them", () => {
  const words =
    "step membership: Error: schema tenant_1 is in use from outside by view a, view b: drop that first\n  at x";
  expect(dependentsIn(["something before", words])).toBe("view a, view b");
  expect(dependentsIn(["step membership: timeout"])).toBeUndefined();
});

describe("where the program host ended before its run", () => {
  const words = (end: string) =>
    new Error(`Workerpool Worker terminated\n    ${end}\n\tspawnfile: x`);

  test.each([
    ["by a signal", "exitCode: `null`, signalCode: `SIGKILL`", "interrupted"],
    ["by itself", "exitCode: `0`, signalCode: `null`", "interrupted"],
    ["over an error", "exitCode: `1`, signalCode: `null`", "failed"],
  ])("%s, another run is tried where it may end otherwise", (_, end, result) => {
    expect(outcomeOfEnd(words(end), "its last words")).toEqual({
      result,
      faults: [
        `the program host ended: Workerpool Worker terminated ${end} spawnfile: x its last words`,
      ],
    });
  });

  test("because its memory was full, the setting is named", () => {
    expect(outcomeOfEnd(words("signalCode: `SIGABRT`"), "heap")).toEqual({
      result: "failed",
      faults: ["the run took more memory than SETUP_MEMORY lets"],
    });
  });

  test("the paths that follow are left out", () => {
    const error = "a\nb\nc\n/home/somebody/host.js";
    expect(outcomeOfEnd(error, "")).toMatchObject({ faults: ["the program host ended: a b c "] });
  });
});
