import { runSuiteOn } from "../support/other-node";

const totals = expect.stringMatching(/^\d{3,} passed, 0 failed$/) as string;

test("the unit tests, another quarter of the integration tests and a set-up end to end pass on Node 24", async () => {
  expect(await runSuiteOn("24.21.0", "3/4")).toEqual([totals, totals]);
}, 1_800_000);
