import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { obtainEngine } from "../../engine/obtain/obtain";
import { eventually } from "../support/killable-service";
import { makeWorld, whole, type World } from "../support/world";

const directory = mkdtempSync(path.join(tmpdir(), "disk-"));
const room = path.join(directory, "room");
let world: World;

beforeAll(async () => {
  const engine = await obtainEngine(() => undefined);
  const bin = path.join(directory, "bin");
  mkdirSync(bin);
  writeFileSync(path.join(bin, "pulumi"), limited(engine.pulumi));
  chmodSync(path.join(bin, "pulumi"), 0o755);
  world = await makeWorld({
    env: {
      ...engine.env,
      PATH: `${bin}:${engine.env.PATH ?? ""}`,
      SETUP_WAIT: "120",
      // A run that was begun ahead would have its room already.
      PRESTARTED_RUNS: "0",
      SPARE_STACKS: "0",
    },
  });
});
afterAll(async () => {
  await world.end();
  rmSync(directory, { recursive: true });
});
afterEach(() => {
  rmSync(room, { force: true });
});

/**
 * The CLI, which may write no file of more than as many blocks of 512 bytes as `room` says, where it
 * is there. It takes no disk to fill and no right to make one, and to the CLI it is a fault of the disk.
 */
function limited(cli: string): string {
  return `#!/bin/sh\nif [ -e '${room}' ]; then ulimit -S -f "$(cat '${room}')"; fi\nexec '${cli}' "$@"\n`;
}

/** The resources in the state that names the tenant. */
function saved(id: unknown): number {
  const folder = path.join(world.state, ".pulumi/stacks/tenant-service");
  const texts = readdirSync(folder)
    .filter((file) => file.endsWith(".json"))
    .map((file) => readFileSync(path.join(folder, file), "utf8"));
  const state = texts.find((text) => text.includes(String(id)));
  const { checkpoint } = JSON.parse(state ?? "{}") as {
    checkpoint?: { latest: { resources: unknown[] } };
  };
  return checkpoint?.latest.resources.length ?? 0;
}

test("no room for the state: 503 after the last try, nothing to see, and 201 when there is room", async () => {
  writeFileSync(room, "0");
  const refused = await world.ask("no-room");
  expect(refused.status).toBe(503);
  expect(refused.body.message).toBe("Not possible just now; send the request again");
  await world.logged(/file too large/);
  expect((await world.get("/api/tenant")).body.data).toEqual([]);
  rmSync(room);
  const made = await world.ask("no-room");
  expect(made.status).toBe(201);
  const tenant = await world.tenant("no-room");
  expect(tenant).toEqual(whole(tenant));
  await eventually(() => (saved(made.body.id) > 5 ? true : undefined));
});

test("the disk is full half way: the set-up is tried again, and succeeds when there is room", async () => {
  // Enough for a stack and its lock, and too little for what a set-up saves.
  writeFileSync(room, "8");
  const id = await world.begin("half-way");
  await world.logged(/tried again later: the set-up of tenant half-way was interrupted/);
  rmSync(room);
  expect(await world.ended(id).catch(() => world.service.log())).toBe("succeeded");
  const tenant = await world.tenant("half-way");
  expect(tenant).toEqual(whole(tenant));
  const { body } = await world.get(`/api/operations/${id}`);
  expect(saved(body.tenantId)).toBeGreaterThan(5);
});
