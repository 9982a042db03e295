import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { connect, type AddressInfo, type Socket } from "node:net";
import express from "express";
import { sendEvents } from "../../../service/http/server-sent-events";

let server: Server;
let client: Socket;
afterEach(() => {
  client.destroy();
  server.closeAllConnections();
  server.close();
});

/** A stream of states that never ends, each of 100 kB. */
async function stream(stalledMs: number) {
  const sent = { states: 0, over: false, waiting: 0 };
  async function* states(signal: AbortSignal) {
    while (!signal.aborted) {
      sent.states += 1;
      yield { version: sent.states, isLast: false, data: { slug: "x".repeat(100_000) } };
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
  const app = express().get("/", async (request, response) => {
    const looking = setInterval(() => {
      sent.waiting = Math.max(sent.waiting, response.writableLength);
    }, 1);
    await sendEvents(request, response, states, stalledMs);
    clearInterval(looking);
    sent.over = true;
  });
  server = createServer(app).listen(0, "127.0.0.1");
  await once(server, "listening");
  client = connect((server.address() as AddressInfo).port, "127.0.0.1");
  client.on("error", () => undefined);
  client.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  return sent;
}

const turn = () => new Promise((resolve) => setTimeout(resolve, 5));

test("for a client that does not read nothing piles up, and its stream is ended", async () => {
  const sent = await stream(300);
  client.pause();
  while (!sent.over) await turn();
  // What the two sockets' own buffers took is some MB; what waits here is one state.
  expect(sent.waiting).toBeLessThan(400_000);
  const { states } = sent;
  await turn();
  expect(sent.states).toBe(states);
});

test("a client that reads slowly keeps its stream", async () => {
  const sent = await stream(10_000);
  client.pause();
  let before = -1;
  while (sent.states !== before) {
    before = sent.states;
    // That the connection is full shows only in that nothing more is sent for a while.
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  client.resume();
  while (sent.states < before + 20) await turn();
  expect(sent.over).toBe(false);
});
