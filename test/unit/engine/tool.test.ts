import { reasonOf, runTool, withProgress } from "../../../scripts/tool.cjs";

describe("why a tool failed", () => {
  it.each([
    ["initdb: error: could not write: No space left on device"],
    ["npm error code ENOSPC"],
    ["write /tmp/x: no space left on device"],
  ])("is the full disk when the tool says %p", (line) => {
    expect(reasonOf(["working", line, "giving up"], "/data")).toBe(
      "no space is left on the disk that holds /data",
    );
  });

  it("is the last line that speaks of an error", () => {
    expect(reasonOf(["error: first", "error: second", "1 errored", ""], "/data")).toBe(
      "error: second",
    );
  });

  it("is the last line when none does", () => {
    expect(reasonOf(["one", "dial tcp: lookup x: no such host", "  "], "/data")).toBe(
      "dial tcp: lookup x: no such host",
    );
  });
});

describe("a tool", () => {
  it("that does not exist has failed, and says so", async () => {
    const run = await runTool("/no/such/tool", []);
    expect(run.ok).toBe(false);
    expect(run.output.join()).toContain("/no/such/tool: not found");
  });

  it("ends with everything that it started when it is told to", async () => {
    const stop = new AbortController();
    const began = performance.now();
    // The run ends when nobody holds its output any more, the sleeper in the background included.
    const run = await runTool("sh", ["-c", "sleep 30 & echo ready; wait"], {
      signal: stop.signal,
      onLine: () => stop.abort(),
    });
    expect(run).toEqual({ ok: false, output: ["ready"] });
    expect(performance.now() - began).toBeLessThan(10_000);
  });
});

describe("progress", () => {
  it("is reported at once, and never later than after two seconds", async () => {
    const times = [performance.now()];
    await withProgress(
      () => times.push(performance.now()),
      () => "working",
      () => new Promise((resolve) => setTimeout(resolve, 4200)),
    );
    times.push(performance.now());
    const gaps = times.slice(1).map((time, i) => time - (times[i] ?? 0));
    expect(times).toHaveLength(5);
    expect(Math.max(...gaps)).toBeLessThan(2000);
  });
});
