import {
  FakeEngineRuns,
  startServiceApp,
  type ServiceApp,
  type ServiceAppOptions,
} from "../../support/service-app";
import { send } from "../../support/service-client";
import { useServiceDatabase } from "../../support/service-database";

const database = useServiceDatabase();
const services: ServiceApp[] = [];
afterAll(() => Promise.all(services.map((service) => service.close())));

async function serviceWith(trouble?: string, options: ServiceAppOptions = {}) {
  const runs = new FakeEngineRuns(() => Promise.reject(new Error("not asked")));
  runs.trouble = trouble;
  const service = await startServiceApp(database.handle, runs, options);
  services.push(service);
  return { service, runs };
}

test("ready is when database and engine were tried and work", async () => {
  const { service } = await serviceWith();
  const { status, body } = await send(`${service.url}/readyz`);
  expect(status).toBe(200);
  expect(body).toEqual({ status: "ready" });
});

test("ready is also when providers are not kept running, and it says why", async () => {
  const { service } = await serviceWith(undefined, { slow: "there is no /proc" });
  const { status, body } = await send(`${service.url}/readyz`);
  expect(status).toBe(200);
  expect(body).toEqual({ status: "ready", slow: "there is no /proc" });
});

test("an engine that does not work is named, and why is in the log only", async () => {
  const { service } = await serviceWith("unable to open bucket file:///gone");
  const { status, body } = await send(`${service.url}/readyz`);
  expect(status).toBe(503);
  expect(body).toEqual({
    statusCode: 503,
    message: "Not ready",
    error: "Service Unavailable",
    code: "UNAVAILABLE",
    details: [{ path: "engine", message: "does not work" }],
  });
  expect(service.log.join("")).toContain("unable to open bucket file:///gone");
});

test("a database that does not work is named, and the process still answers", async () => {
  const { service } = await serviceWith();
  database.moveHandle("postgres://app:s3cr3tpw@127.0.0.1:1/app");
  const ready = await send(`${service.url}/readyz`);
  const healthy = await send(`${service.url}/healthz`);
  database.moveHandle();
  expect(ready.status).toBe(503);
  expect(ready.body.details).toEqual([{ path: "database", message: "does not work" }]);
  expect(service.log.join("")).not.toContain("s3cr3tpw");
  expect(healthy.status).toBe(200);
  expect(healthy.body).toEqual({ status: "ok" });
});

test("many who ask at once share one trial of the engine", async () => {
  const { service, runs } = await serviceWith();
  const answers = await Promise.all(
    Array.from({ length: 20 }, () => send(`${service.url}/readyz`)),
  );
  expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
  expect(runs.trials).toBe(1);
});
