import util from "node:util";

/**
 * Loaded into a program before its SDK. Node 20.20 fills its memory for half a minute when it
 * colours an error whose stack names a file right below a scope of node_modules. The SDK's source
 * maps name such files ("node_modules/@pulumi/resource.ts"), and the SDK colours whatever a program
 * throws. https://github.com/nodejs/node/issues/64011
 */
const inspect = new Proxy(util.inspect, {
  apply(original, self, [value, ...options]: unknown[]): unknown {
    const isEndless = value instanceof Error && ENDLESS.test(value.stack ?? "");
    return Reflect.apply(original, self, isEndless ? [value] : [value, ...options]);
  },
});

const ENDLESS = /node_modules[\\/](@[^\\/\n]*[\\/])?[^\\/\n]*$/m;

Object.assign(util, { inspect });
