import { runSuiteOn } from "../support/other-node";

test("the unit tests, the integration tests and a set-up end to end pass on Node 22", async () => {
  expect(await runSuiteOn("22.23.3")).toMatch(/^\d{3,} passed, 0 failed$/);
}, 900_000);
