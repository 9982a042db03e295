import type * as pulumi from "@pulumi/pulumi";

/**
 * The value of an output as a promise, which unlike the output carries no dependency on a resource.
 *
 * @returns undefined where only `pulumi up` will tell the value. `apply` would never call back then.
 * @throws the error of the resource that was to give the value.
 */
export async function valueOf<T>(output: pulumi.Output<T>): Promise<T | undefined> {
  // The SDK hides this method from its types.
  return (output as unknown as { promise(): Promise<T | undefined> }).promise();
}
