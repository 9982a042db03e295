import express, { type Request } from "express";
import { prefersAsync } from "../../../service/http/prefer";

function asking(prefer?: string): boolean {
  const request = Object.create(express.request) as Request;
  request.headers = prefer === undefined ? {} : { prefer };
  return prefersAsync(request);
}

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
