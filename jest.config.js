/** The tests run from the built output: what is tested is what ships. */
module.exports = {
  rootDir: "dist/test",
  testEnvironment: "node",
  testMatch: ["**/*.test.js"],
  testTimeout: 60_000,
};
