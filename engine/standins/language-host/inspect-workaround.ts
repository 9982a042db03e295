import util from "node:util";

/**
 * A workaround for a bug of Node 20.20, loaded into each program before its SDK. When `util.inspect` colours
 * an error whose stack names a file directly in a scope of node_modules, node takes half a minute and
 * gigabytes. The SDK's source maps name such files ("node_modules/@pulumi/resource.ts"), and the SDK
 * colours whatever a program throws. So such errors are inspected without the options, and so without colours.
 * https://github.com/nodejs/node/issues/64011
 */
const inspect = new Proxy(util.inspect, {
  apply(original, self, [value, ...options]: unknown[]): unknown {
    const hangsInspect = value instanceof Error && DIRECTLY_IN_SCOPE.test(value.stack ?? "");
    return Reflect.apply(original, self, hangsInspect ? [value] : [value, ...options]);
  },
});

const DIRECTLY_IN_SCOPE = /node_modules[\\/](@[^\\/\n]*[\\/])?[^\\/\n]*$/m;

Object.assign(util, { inspect });
