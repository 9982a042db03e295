import { stacksOf } from "../../../service/pulumi/stacks/stacks";
import { useServiceDatabase } from "../../support/service-database";

const database = useServiceDatabase();
const me = "00000000-0000-4000-8000-000000000001";
const other = "00000000-0000-4000-8000-000000000002";
const dead = "00000000-0000-4000-8000-000000000003";
const stacks = stacksOf(database.handle, me);

afterEach(() => database.sql("delete from public.service_stacks"));

/** Adds a stack for each status and holder, named by both. */
async function add(status: string, ...holders: [string, string][]): Promise<void> {
  for (const [name, instance] of holders) {
    await database.sql(
      "insert into public.service_stacks (name, status, instance, settings) values ($1, $2, $3, '')",
      [`${status}-${name}`, status, instance],
    );
  }
}

const named = async (status: string) =>
  (
    await database.sql<{ name: string }>(
      "select name from public.service_stacks where status = $1 order by name",
      [status],
    )
  ).map(({ name }) => name);

test("an instance gives back the stacks that it prestarted and does not need, and nobody else's", async () => {
  await add("prestarted", ["needed", me], ["forgotten", me], ["of-another", other]);
  await stacks.returnAllBut(["prestarted-needed"]);
  expect(await named("spare")).toEqual(["prestarted-forgotten"]);
  expect(await named("prestarted")).toEqual(["prestarted-needed", "prestarted-of-another"]);
});

test("an instance that needs none gives all of its own back", async () => {
  await add("prestarted", ["mine", me], ["of-another", other]);
  await stacks.returnAllBut([]);
  expect(await named("spare")).toEqual(["prestarted-mine"]);
});

test("lost are all of a dead instance, and of one's own those not made and those to be removed", async () => {
  await add("making", ["of-another", other], ["of-the-dead", dead], ["mine", me]);
  await add("prestarted", ["of-the-dead", dead], ["mine", me]);
  await add("removing", ["of-another", other], ["mine", me]);
  const lost = ["making-mine", "making-of-the-dead", "prestarted-of-the-dead", "removing-mine"];
  expect((await stacks.takeLost([dead])).sort()).toEqual(lost);
  expect(await named("prestarted")).toEqual(["prestarted-mine"]);
  expect(await named("making")).toEqual(["making-of-another"]);
});
