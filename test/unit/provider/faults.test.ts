import { failingWhenApplied } from "../../../provider/resources/faults";
import { tenantRecord } from "../../../provider/resources/record";

const record = failingWhenApplied(tenantRecord);
const sound = {
  urlEnv: "DATABASE_URL",
  name: "Acme Corp",
  slug: "acme",
  owner: "organization/shop/dev::acme",
  forceDestroy: true,
};
const faults = ["slug: must have at least 3 characters"];

describe("a step with a fault", () => {
  it("passes its check, so that the run goes on, and keeps what it was beside the fault", () => {
    const { inputs, failures } = record.check(sound, { ...sound, name: "Acme Ltd", slug: "a" });
    expect(failures).toEqual([]);
    expect(inputs).toEqual({
      ...sound,
      faults: ["slug: must have at least 3 characters"],
    });
  });

  it("tells those that the program found once, and its own beside them", () => {
    const news = { ...sound, slug: "a", faults: [...faults, "adminEmail: is missing"] };
    expect(record.check({}, news).inputs.faults).toEqual([...faults, "adminEmail: is missing"]);
  });

  it("is a change, and never a replacement, whose first half would delete the old one", () => {
    const id = "660e8400-e29b-41d4-a716-446655440000";
    const news = { ...sound, tenantId: "770e8400-e29b-41d4-a716-446655440000" };
    const olds = { ...sound, tenantId: id };
    expect(record.diff(id, olds, news).replaces).toEqual(["tenantId"]);
    expect(record.diff(id, olds, { ...news, faults } as typeof news)).toEqual({
      changes: true,
      replaces: [],
    });
  });

  it("fails when it is applied, before it asks the database for anything", async () => {
    const inputs = { ...sound, urlEnv: "NO_SUCH_VARIABLE", faults };
    await expect(record.create(inputs)).rejects.toThrow(faults[0]);
    await expect(record.update("id", sound, inputs)).rejects.toThrow(faults[0]);
  });
});

it("has no faults among its inputs when it is sound", () => {
  expect(record.check({}, { ...sound, faults: undefined })).toEqual({
    inputs: sound,
    failures: [],
  });
});
