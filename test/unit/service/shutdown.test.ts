import { Shutdown, StoppedError } from "../../../service/shutdown";

test("what was started is stopped in the reverse order, once", async () => {
  const shutdown = new Shutdown();
  const stopped: string[] = [];
  for (const name of ["database", "engine", "server"]) {
    await shutdown.add(() => Promise.resolve(void stopped.push(name)));
  }
  expect(shutdown.begun).toBe(false);
  await Promise.all([shutdown.end(), shutdown.end()]);
  expect(shutdown.begun).toBe(true);
  expect(stopped).toEqual(["server", "engine", "database"]);
});

test("what is started when the end has begun is stopped at once, and the start goes no further", async () => {
  const shutdown = new Shutdown();
  await shutdown.end();
  let stopped = false;
  const started = shutdown.add(() => Promise.resolve(void (stopped = true)));
  await expect(started).rejects.toThrow(StoppedError);
  expect(stopped).toBe(true);
});

test("one that cannot be stopped does not keep the others", async () => {
  const shutdown = new Shutdown();
  const said = jest.spyOn(console, "error").mockImplementation(() => undefined);
  let stopped = false;
  await shutdown.add(() => Promise.resolve(void (stopped = true)));
  await shutdown.add(() => Promise.reject(new Error("stuck")));
  await shutdown.end();
  expect(stopped).toBe(true);
  expect(said).toHaveBeenCalledWith("stuck");
  said.mockRestore();
});
