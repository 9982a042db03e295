import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { Shutdown, StoppedError } from "../../../service/system/shutdown";

let shutdown: Shutdown;
let events: string[];
let complaints: unknown[];
beforeEach(() => {
  complaints = [];
  shutdown = new Shutdown((error) => complaints.push(error));
  events = [];
});

/** Something that takes a while to start, and to stop. */
const start = (name: string): Promise<string> =>
  shutdown.start(
    async () => {
      await delay(10);
      events.push(`${name} starts`);
      return name;
    },
    async (started) => {
      await delay(5);
      events.push(`${started} stops`);
    },
  );

test("what was started is stopped in the reverse order, once", async () => {
  for (const name of ["database", "engine", "server"]) await start(name);
  expect(shutdown.begun).toBe(false);
  await Promise.all([shutdown.end(), shutdown.end()]);
  expect(shutdown.begun).toBe(true);
  expect(events.slice(3)).toEqual(["server stops", "engine stops", "database stops"]);
});

test("what is just starting is stopped when it has started, and the start goes no further", async () => {
  const starting = start("database");
  const ended = shutdown.end();
  await expect(starting).rejects.toThrow(StoppedError);
  await ended;
  expect(events).toEqual(["database starts", "database stops"]);
});

test("nothing is started any more once the end has begun", async () => {
  await shutdown.end();
  await expect(start("server")).rejects.toThrow(StoppedError);
  expect(events).toEqual([]);
});

test("what could not be started is not stopped, and does not keep the others", async () => {
  await start("database");
  const broken = shutdown.start(
    () => Promise.reject(new Error("no engine")),
    () => Promise.resolve(void events.push("engine stops")),
  );
  await expect(broken).rejects.toThrow("no engine");
  await shutdown.end();
  expect(events).toEqual(["database starts", "database stops"]);
});

test("one that cannot be stopped is told of, and does not keep the others", async () => {
  await start("database");
  await shutdown.start(
    () => "engine",
    () => Promise.reject(new Error("stuck")),
  );
  await shutdown.end();
  expect(events).toEqual(["database starts", "database stops"]);
  expect(complaints).toEqual([new Error("stuck")]);
});

describe("a process that listens to signals", () => {
  /** It stops one thing, which ends when stdin does, and says what it hears. */
  const program = `
    const { Shutdown } = require(${JSON.stringify(require.resolve("../../../service/system/shutdown"))});
    const shutdown = new Shutdown(console.error);
    const work = () => new Promise((resolve) => process.stdin.resume().once("close", resolve));
    shutdown.listen();
    for (const name of ["SIGTERM", "SIGINT"]) process.on(name, () => console.log(name));
    shutdown
      .start(() => "work", work, () => (console.log("hurried"), process.stdin.destroy()))
      .then(() => console.log("ready"));
    setInterval(() => {}, 1_000);`;

  let child: ChildProcess;
  let said: string[];
  let hears: (line: string, times?: number) => Promise<void>;
  beforeEach(async () => {
    child = spawn(process.execPath, ["-e", program], { stdio: ["pipe", "pipe", "inherit"] });
    said = [];
    const lines = createInterface({ input: child.stdout ?? process.stdin });
    lines.on("line", (line) => said.push(line));
    hears = async (line, times = 1) => {
      while (said.filter((each) => each === line).length < times) await once(lines, "line");
    };
    await hears("ready");
  });
  afterEach(() => void child.kill("SIGKILL"));

  test("takes the same one that comes twice at once, directly and by its parent, for one", async () => {
    const ended = once(child, "exit");
    child.kill("SIGTERM");
    await hears("SIGTERM");
    child.kill("SIGTERM");
    await hears("SIGTERM", 2);
    child.stdin?.end();
    expect(await ended).toEqual([0, null]);
    expect(said).not.toContain("hurried");
  });

  test("is cut short by another one", async () => {
    const another = once(child, "exit");
    child.kill("SIGTERM");
    await hears("SIGTERM");
    child.kill("SIGINT");
    await hears("hurried");
    expect(await another).toEqual([1, null]);
  });

  test("is cut short by the same one when it comes again later", async () => {
    const again = setInterval(() => child.kill("SIGTERM"), 50);
    await hears("hurried").finally(() => clearInterval(again));
    expect((await once(child, "exit"))[0]).toBe(1);
  });
});
