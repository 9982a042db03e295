import * as pulumi from "@pulumi/pulumi";
import { urnOf } from "../../../provider/contract/tenant-urn";
import { ownerOf } from "../../../provider/owner";

beforeAll(async () => {
  const mocks = {
    newResource: () => ({ id: "", state: {} }),
    call: () => ({}),
  };
  await pulumi.runtime.setMocks(mocks, "shop", "prod", false, "organization");
});

const urn = (types: string) => `urn:pulumi:prod::shop::${types}::acme`;

test.each([
  ["of the stack's own", "pulumi-tenant:index:Tenant", "organization/shop/prod::acme"],
  [
    "with parents",
    "a:b:Country$a:b:City$pulumi-tenant:index:Tenant",
    "organization/shop/prod::a:b:Country$a:b:City::acme",
  ],
])(
  "a tenant %s is declared by its stack under its parents and its name",
  async (_, types, owner) => {
    await expect(ownerOf(pulumi.output(urn(types)))).resolves.toBe(owner);
    expect(urnOf(owner)).toBe(urn(types));
  },
);

test("what is no owner of a stack names no tenant", () => {
  expect(urnOf("somebody")).toBeUndefined();
  expect(urnOf("organization/shop::acme")).toBeUndefined();
});
