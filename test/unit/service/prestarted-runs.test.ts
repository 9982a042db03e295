import type { ProviderLease } from "../../../engine/providers/kept-providers";
import type { HostEnd, HostProcess } from "../../../service/pulumi/host-process";
import {
  PrestartedRuns,
  type PrestartedRunsSettings,
} from "../../../service/pulumi/prestarted-runs";
import type { Stacks } from "../../../service/pulumi/stacks/stacks";

const request = { tenantId: "acme", tenants: [], mayDelete: [] } as const;

/** What the prestarted runs of a test work with, and what they did with it. */
function setting({ count = 2, takePrestarted = () => Promise.resolve(true) } = {}) {
  const fresh = { is: true };
  const givenBack: HostProcess[] = [];
  /** The tenant of each run that was finished; undefined where it got none. */
  const finished: (string | undefined)[] = [];
  const needed: (readonly string[])[] = [];
  let letEnd = (): void => undefined;
  const mayEnd = new Promise<void>((resolve) => (letEnd = resolve));
  let stacksReserved = 0;
  const starting = { are: false };

  const takeHost = () => {
    const host: Pick<HostProcess, "begin" | "finish"> = {
      begin: () => Promise.resolve(),
      async finish(given): Promise<HostEnd> {
        finished.push(given?.tenantId);
        if (given === undefined) await mayEnd;
        return { outcome: { result: "succeeded" }, reached: true, late: false };
      },
    };
    return host as HostProcess;
  };
  const stacks: Partial<Stacks> = {
    reserve: () => Promise.resolve({ name: `stack-${++stacksReserved}`, settings: "" }),
    takePrestarted,
    returnPrestarted: () => Promise.resolve(),
    returnAllBut(names) {
      needed.push(names);
      return Promise.resolve();
    },
  };
  /** Of the providers that runs are begun with from now on: another process has taken their place. */
  let providers = { relieved: false };
  const relieve = () => {
    providers.relieved = true;
    providers = { relieved: false };
  };
  const lease = (): ProviderLease => {
    const held = providers;
    return {
      attach: "",
      isFresh: () => fresh.is,
      isRelieved: () => held.relieved,
      release: () => undefined,
    };
  };
  const settings: PrestartedRunsSettings = {
    ...{ count, takeHost, stacks: stacks as Stacks },
    giveHost: (host) => void givenBack.push(host),
    providers: {
      lease: () => Promise.resolve(lease()),
      areStarting: () => starting.are,
      trouble: () => undefined,
      stop: () => Promise.resolve(),
    },
  };
  return {
    runs: new PrestartedRuns(settings),
    ...{ fresh, starting, givenBack, finished, needed, letEnd, relieve },
  };
}

test("none is begun while a provider is being started: its engine would start one of its own", async () => {
  const { runs, starting, needed } = setting();
  starting.are = true;
  await runs.keepUp();
  expect(await runs.use(request, () => undefined)).toBeUndefined();
  starting.are = false;
  await runs.keepUp();
  expect(await runs.use(request, () => undefined)).toMatchObject({ reached: true });
  await runs.keepUp();
  expect(needed.at(-1)).toEqual(["stack-2"]);
});

test("runs that are old are ended once each, though a set-up comes meanwhile", async () => {
  const { runs, fresh, givenBack, finished, letEnd } = setting();
  await runs.keepUp();
  fresh.is = false;
  const renewed = runs.keepUp();
  const used = runs.use(request, () => undefined);
  fresh.is = true;
  letEnd();
  await renewed;
  // A set-up that finds none goes the longer way.
  expect(await used).toBeUndefined();
  expect(finished).toEqual([undefined, undefined]);
  expect(givenBack).toHaveLength(2);
  expect(new Set(givenBack).size).toBe(2);
});

test("a run is ended, and its host given back, where the database does not say whose its stack is", async () => {
  const down = new Error("the database is down");
  const { runs, givenBack, finished, letEnd } = setting({
    takePrestarted: () => Promise.reject(down),
  });
  letEnd();
  await runs.keepUp();
  await expect(runs.use(request, () => undefined)).rejects.toBe(down);
  expect(finished).toEqual([undefined]);
  expect(givenBack).toHaveLength(1);
});

test("stacks that were prestarted, or given back, unknown to this instance are given back later", async () => {
  const { runs, needed } = setting();
  await runs.keepUp();
  await runs.use(request, () => undefined);
  await runs.keepUp();
  expect(needed).toEqual([[], ["stack-2"]]);
});

describe("runs whose providers were relieved", () => {
  beforeEach(() => jest.useFakeTimers());
  afterEach(() => jest.useRealTimers());

  test("are begun anew one by one, each after its successor was begun", async () => {
    const { runs, finished, needed, letEnd, relieve } = setting();
    letEnd();
    await runs.keepUp();
    relieve();
    await runs.keepUp();
    await runs.keepUp();
    expect(finished).toEqual([undefined]);
    jest.advanceTimersByTime(5_000);
    await runs.keepUp();
    jest.advanceTimersByTime(5_000);
    await runs.keepUp();
    expect(finished).toEqual([undefined, undefined]);
    await runs.keepUp();
    expect(needed.at(-1)).toEqual(["stack-3", "stack-4"]);
  });

  test("are given to set-ups as before", async () => {
    const { runs, finished, relieve } = setting();
    await runs.keepUp();
    relieve();
    expect(await runs.use(request, () => undefined)).toMatchObject({ reached: true });
    expect(finished).toEqual(["acme"]);
  });
});
