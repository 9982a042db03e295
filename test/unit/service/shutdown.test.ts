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
