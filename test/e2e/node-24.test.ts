import { runSuiteOn } from "../support/other-node";

test("the unit tests, the integration tests and a set-up end to end pass on Node 24", async () => {
  expect(await runSuiteOn("24.21.0")).toMatch(/^\d{3,} passed, 0 failed$/);
}, 900_000);
