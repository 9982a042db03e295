import type * as pulumi from "@pulumi/pulumi";
import { ConfigurationError } from "../../../provider";
import { assertOptions, optionsOf } from "../../../provider/options";

const refusal = (opts: object) => {
  try {
    assertOptions("acme", opts);
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigurationError);
    return (error as Error).message;
  }
  return undefined;
};

describe("the options of a tenant", () => {
  it.each([
    ["provider", "choose the database by `database`, or by the TenantDatabase's `urlEnv`"],
    ["providers", "a tenant uses the providers that its TenantDatabase makes"],
    ["replaceOnChanges", "a tenant is replaced by another `id` alone"],
    ["replaceWith", "a tenant is replaced by another `id` alone"],
    ["replacementTrigger", "a tenant is replaced by another `id` alone"],
    ["deleteBeforeReplace", "each step is so already: leave it out"],
    ["additionalSecretOutputs", "pulumi.secret(tenant.schemaName)"],
    ["customTimeouts", "set lock_timeout or statement_timeout"],
    ["version", "this package names the plugins that it works with"],
    ["pluginDownloadURL", "this package names the plugins that it works with"],
    ["import", "Declare the tenant: what this stack made, it takes up again"],
    ["id", "it takes up again. Its UUID is the argument `id`"],
    ["urn", "read another stack's tenants by a StackReference"],
    ["envVarMappings", "set the variables where pulumi runs"],
  ])("do not have %s, and say what to do instead", (option, instead) => {
    expect(refusal({ [option]: ["x"] })).toMatch(
      new RegExp(`^tenant acme cannot have these options:\n  ${option}: .`),
    );
    expect(refusal({ [option]: ["x"] })).toContain(instead);
  });

  it("have the others, and those that are undefined", () => {
    const taken = ["parent", "aliases", "dependsOn", "protect", "retainOnDelete", "deletedWith"];
    const functions = ["transforms", "transformations"];
    const given = [...taken, ...functions].map((name): [string, unknown] => [name, []]);
    expect(refusal({ ...Object.fromEntries(given), provider: undefined })).toBeUndefined();
  });

  it("are refused together, each with its name", () => {
    const faults = refusal({
      ...{ urn: "urn:x", ignoreChanges: ["name", "colour"], hideDiffs: ["shape"] },
      hooks: { beforeCreate: [], afterDelete: [], beforeUpdate: [], onError: [] },
    });
    expect(faults?.split("\n").map((line) => line.trim().slice(0, 26))).toEqual([
      "tenant acme cannot have th",
      "urn: read another stack's ",
      "ignoreChanges: colour: it ",
      "hideDiffs: shape: it can b",
      "hooks: beforeUpdate: never",
      "hooks: onError: never runs",
    ]);
    expect(faults).toContain(
      "name, slug, id, adminEmail, adminPassword, adminFirstName, adminLastName",
    );
  });
});

describe("a step's part of a tenant's options", () => {
  const opts: pulumi.ComponentResourceOptions = {
    ignoreChanges: ["name", "adminEmail", "id"],
    hideDiffs: ["slug", "adminPassword", "adminFirstName", "adminLastName"],
  };

  it("names the inputs that are made from the fields", () => {
    expect(optionsOf("record", opts)).toEqual({
      ignoreChanges: ["name", "tenantId"],
      hideDiffs: ["slug"],
    });
    expect(optionsOf("admin", opts)).toEqual({
      ignoreChanges: ["email", "password"],
      hideDiffs: ["password", "firstName", "lastName"],
    });
  });

  it("is empty where there are none", () => {
    expect(optionsOf("admin", {})).toEqual({ ignoreChanges: [], hideDiffs: [] });
  });
});
