import { runInNewContext } from "node:vm";
import { checkInputs, diffInputs, providerText } from "../../../provider/resources/dynamic";
import * as lifecycles from "../../../provider/resources";
import { rules } from "../../../provider/contract/rules";

const unknown = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";

describe("the provider's text in the state", () => {
  // What is released stays: states hold these words, and the engine evaluates them years later.
  const released = {
    tenantRecord: 'exports.handler = () => require("pulumi-tenant/resources").tenantRecord;',
    adminUser: 'exports.handler = () => require("pulumi-tenant/resources").adminUser;',
    migrations: 'exports.handler = () => require("pulumi-tenant/resources").migrations;',
    adminMembership: 'exports.handler = () => require("pulumi-tenant/resources").adminMembership;',
  };

  it("is the released one, to the letter", () => {
    expect(providerText("tenantRecord")).toBe(released.tenantRecord);
    expect(providerText("adminUser")).toBe(released.adminUser);
    expect(providerText("migrations")).toBe(released.migrations);
    expect(providerText("adminMembership")).toBe(released.adminMembership);
  });

  it("names life cycles that the package still has", () => {
    expect(Object.keys(lifecycles).sort()).toEqual(Object.keys(released).sort());
  });

  it("leads Node to the life cycle, by the package's name alone", () => {
    const module = { handler: (): unknown => undefined };
    const require = (name: string) => {
      expect(name).toBe("pulumi-tenant/resources");
      return lifecycles;
    };
    runInNewContext(released.tenantRecord, { exports: module, require });
    expect(module.handler()).toBe(lifecycles.tenantRecord);
  });
});

describe("check", () => {
  const shape = { slug: rules.slug, name: rules.name, id: rules.id.optional() };

  it("reports all faults at once, each under its property", () => {
    const { failures } = checkInputs(shape, { slug: "A", nmae: "Acme" });
    expect(failures.map(({ property }) => property)).toEqual(["nmae", "slug", "slug", "name"]);
  });

  it("names no property to the engine where it would print a secret with it", () => {
    const { failures } = checkInputs(
      { urlEnv: rules.environmentVariable },
      { urlEnv: "postgres://me:secret@h/db" },
    );
    expect(failures).toEqual([
      { property: "", reason: "urlEnv must be the name of an environment variable, not a URL" },
    ]);
  });

  it("lets through what only an update will tell", () => {
    const news = { slug: unknown, name: " Acme ", __provider: "text" };
    expect(checkInputs(shape, news)).toEqual({
      inputs: { slug: unknown, name: "Acme", __provider: "text" },
      failures: [],
    });
  });
});

describe("diff", () => {
  const shape = { name: 1, slug: 1, files: 1 };

  it("sees no change where nothing changed", () => {
    const state = { name: "a", slug: "b", files: { x: "1" }, output: "made later" };
    expect(diffInputs(shape, state, { name: "a", slug: "b", files: { x: "1" } })).toEqual({
      changes: false,
      replaces: [],
    });
  });

  it("tells what replaces from what is updated, and passes over what means nothing", () => {
    const options = { replaces: ["slug"], ignores: ["name"] };
    expect(diffInputs(shape, { name: "a" }, { name: "b" }, options).changes).toBe(false);
    expect(diffInputs(shape, { files: {} }, { files: { x: "1" } }, options)).toEqual({
      changes: true,
      replaces: [],
    });
    expect(diffInputs(shape, { slug: "a" }, { slug: "b" }, options).replaces).toEqual(["slug"]);
  });
});
