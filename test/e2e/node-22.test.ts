import { runSuiteOn } from "../support/other-node";

const totals = expect.stringMatching(/^\d{3,} passed, 0 failed$/) as string;

test("the unit tests, a quarter of the integration tests and a set-up end to end pass on Node 22", async () => {
  expect(await runSuiteOn("22.23.3", "1/4")).toEqual([totals, totals]);
}, 1_800_000);
