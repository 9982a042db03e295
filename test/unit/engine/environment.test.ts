import { childEnvironment } from "../../../engine/obtain/child-environment";

const none = {
  cli: undefined,
  languageHost: undefined,
  postgresqlPlugin: undefined,
  dynamicProvider: undefined,
};
const environmentOf = (environment: NodeJS.ProcessEnv) =>
  childEnvironment({ engine: "/project/.engine", environment }, none);

describe("the environment of the engine", () => {
  it("keeps what is for this machine away from the user's proxy", () => {
    expect(environmentOf({ PATH: "" }).no_grpc_proxy).toBe("127.0.0.1,localhost");
    expect(environmentOf({ PATH: "", no_proxy: "intra.example" }).no_grpc_proxy).toBe(
      "intra.example,127.0.0.1,localhost",
    );
  });

  it("downloads no plugin unasked, unless the user wants it so", () => {
    const variable = "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION";
    expect(environmentOf({ PATH: "" })[variable]).toBe("true");
    expect(environmentOf({ PATH: "", [variable]: "false" })[variable]).toBe("false");
  });

  it("holds the user's PATH without what an engine around this one put before it", () => {
    expect(environmentOf({ PATH: "/project/.engine/bin:/usr/bin:/bin" }).PATH).toBe(
      "/usr/bin:/bin",
    );
  });
});
