/** The tests run from the built output: what is tested is what ships. */
module.exports = {
  rootDir: "dist/test",
  testEnvironment: "node",
  testMatch: ["**/*.test.js"],
  // What a test waits for takes long beside other work, and never that long.
  testTimeout: 600_000,
  // More than the two cores of a usual CI machine: most tests wait for processes of their own.
  maxWorkers: 3,
  transform: {},
  globalSetup: "<rootDir>/support/global-setup.js",
  globalTeardown: "<rootDir>/support/global-teardown.js",
  reporters: ["default", "<rootDir>/support/totals-reporter.js"],
};
