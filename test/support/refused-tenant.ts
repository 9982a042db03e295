/**
 * A program whose tenant the engine refuses to register. Prints who owns the tenant, or why nobody does;
 * where the program waits for an owner that never comes, Node ends it without a word.
 */
import * as pulumi from "@pulumi/pulumi";
import { ownerOf } from "../../provider/owner";

// The SDK leaves several rejections of one failed registration without a handler.
process.on("unhandledRejection", () => undefined);

async function main(): Promise<string> {
  const mocks: pulumi.runtime.Mocks = {
    newResource() {
      throw new Error("the engine was cut off");
    },
    call: () => ({}),
  };
  await pulumi.runtime.setMocks(mocks, "shop", "prod", false, "organization");
  return ownerOf(new pulumi.ComponentResource("pulumi-tenant:index:Tenant", "acme").urn);
}

void main()
  .catch((error: unknown) => String(error))
  .then((line) => console.log(line));
