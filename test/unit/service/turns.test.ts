import { setTimeout as delay } from "node:timers/promises";
import { createTurns } from "../../../service/setup/turns";

test("work for one key runs one after the other, in the order it was asked for", async () => {
  const inTurn = createTurns();
  const events: string[] = [];
  const work = (name: string) => async () => {
    events.push(`${name} begins`);
    await delay(5);
    events.push(`${name} ends`);
  };
  await Promise.all(["a", "b", "c"].map((name) => inTurn("acme", work(name))));
  expect(events).toEqual(["a", "b", "c"].flatMap((name) => [`${name} begins`, `${name} ends`]));
});

test("work for another key does not wait", async () => {
  const inTurn = createTurns();
  let open = (): void => undefined;
  const first = inTurn("acme", () => new Promise<void>((resolve) => (open = resolve)));
  await expect(inTurn("beta", () => Promise.resolve("done"))).resolves.toBe("done");
  open();
  await first;
});

test("work that fails lets the next one run", async () => {
  const inTurn = createTurns();
  const first = inTurn("acme", () => Promise.reject(new Error("broken")));
  const second = inTurn("acme", () => Promise.resolve("done"));
  await expect(first).rejects.toThrow("broken");
  await expect(second).resolves.toBe("done");
});
