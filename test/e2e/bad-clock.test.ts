import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { eventually } from "../support/killable-service";
import { send } from "../support/service-client";
import { signed } from "../support/service-tokens";
import { makeWorld, whole, type World } from "../support/world";

const HOUR = 3_600_000;
const directory = mkdtempSync(path.join(tmpdir(), "clock-"));
const clock = path.join(directory, "clock");
let world: World;

beforeAll(async () => {
  setClock(0);
  const preload = path.resolve(__dirname, "../support/shifted-clock.js");
  const env = {
    SHIFTED_CLOCK: clock,
    // For all that the service starts, too.
    NODE_OPTIONS: `--require ${JSON.stringify(preload)}`,
    RATE_LIMIT: "5",
  };
  world = await makeWorld({ sleep: 1, env });
});
afterAll(async () => {
  await world.end();
  rmSync(directory, { recursive: true });
});
afterEach(async () => {
  setClock(0);
  await seen(0);
});

/** @param shift In ms, from the right time. */
function setClock(shift: number): void {
  writeFileSync(`${clock}.new`, String(shift));
  renameSync(`${clock}.new`, clock);
}

/** Waits until the service writes its log with the clock set so. */
async function seen(shift: number): Promise<void> {
  await eventually(async () => {
    await world.get("/nothing");
    const times = [...world.service.log().matchAll(/"time":(\d+)/g)];
    const wrong = Number(times.at(-1)?.[1]) - Date.now() - shift;
    return Math.abs(wrong) < 60_000 ? true : undefined;
  }, 20_000);
}

async function jump(shift: number): Promise<void> {
  setClock(shift);
  await seen(shift);
}

test.each([
  ["forward", 5 * HOUR],
  ["back", -5 * HOUR],
])(
  "the clock jumps %s in a set-up: it succeeds, and who waits for it is told",
  async (way, shift) => {
    const id = await world.begin(`jumps-${way}`);
    const events = fetch(`${world.service.url}/api/operations/${id}/events`, {
      headers: { Authorization: `Bearer ${await signed({ expiresIn: 24 * 3_600 })}` },
    }).then((response) => response.text());
    await eventually(async () => {
      const { body } = await world.get(`/api/operations/${id}`);
      return JSON.stringify(body).includes('"migrations","status":"running"') ? true : undefined;
    });
    await jump(shift);
    expect(await events).toContain("event: end");
    expect(await world.ended(id)).toBe("succeeded");
    const tenant = await world.tenant(`jumps-${way}`);
    expect(tenant).toEqual(whole(tenant));
  },
);

test("a set-up that is to be tried again is not forgotten when the clock jumps back", async () => {
  await world.asSuperuser(`alter role ${world.role} connection limit 0`);
  const id = await world.begin("tried-again");
  await world.logged(/tried again later/);
  await jump(-5 * HOUR);
  await world.asSuperuser(`alter role ${world.role} connection limit -1`);
  expect(await world.ended(id)).toBe("succeeded");
});

test("tokens are judged by the clock as it is", async () => {
  const token = await signed({ expiresIn: 3_600 });
  const status = async () => (await send(`${world.service.url}/api/tenant`, { token })).status;
  expect(await status()).toBe(200);
  await jump(5 * HOUR);
  expect(await status()).toBe(401);
  await jump(-5 * HOUR);
  expect(await status()).toBe(200);
});

test("a clock that is set back keeps nobody waiting for it", async () => {
  const eager = await signed({
    claims: { sub: "eager", permissions: ["CREATE_TENANT"] },
    expiresIn: 24 * 3_600,
  });
  const ask = () =>
    send(`${world.service.url}/api/tenant/setup`, { method: "POST", token: eager, body: {} });
  await jump(5 * HOUR);
  expect((await world.get("/readyz")).status).toBe(200);
  await eventually(async () => ((await ask()).status === 429 ? true : undefined));
  await jump(-5 * HOUR);
  const refused = await ask();
  expect(refused.status).toBe(429);
  expect(Number(refused.headers.get("Retry-After"))).toBeLessThanOrEqual(60);
  renameSync(world.state, `${world.state}.away`);
  try {
    await eventually(async () => {
      await delay(200);
      return (await world.get("/readyz")).status === 503 ? true : undefined;
    });
  } finally {
    renameSync(`${world.state}.away`, world.state);
  }
});
