import type { Request } from "express";
import { prefersAsync } from "../../../service/http/prefer";

const asking = (prefer?: string) =>
  prefersAsync({ get: (name: string) => (name === "Prefer" ? prefer : undefined) } as Request);

test.each([
  "respond-async",
  "Respond-Async",
  "wait=10, respond-async",
  "respond-async,wait=10",
  " respond-async ; foo",
])("a caller that sends Prefer: %s is answered at once", (prefer) => {
  expect(asking(prefer)).toBe(true);
});

test.each([undefined, "", "wait=10", "x-respond-async", "respond-async-not", "foo; respond-async"])(
  "one that sends Prefer: %s waits for the end",
  (prefer) => {
    expect(asking(prefer)).toBe(false);
  },
);
