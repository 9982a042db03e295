import { help, readOptions } from "../../../bench/options";
import { docBlock } from "../../support/docs";

const groups = ["pace", "burst"];

describe("the options of the bench", () => {
  it("are a full run with a table unless something else is asked for", () => {
    expect(readOptions([], groups)).toEqual({
      ...{ quick: false, json: false, write: false, help: false },
      only: [],
    });
  });

  it("are known, those that bench/README.md tells", () => {
    const commands = docBlock("bench/README.md", "Bench", "sh").trim().split("\n");
    for (const command of commands) {
      const [run, options = ""] = command.replace(/ *#.*/, "").split(" -- ");
      expect(run).toMatch(/^npm run (--silent )?bench$/);
      expect(() => readOptions(options.split(" ").filter(Boolean), groups)).not.toThrow();
    }
  });

  it("may be several at once", () => {
    expect(
      readOptions(["--quick", "--json", "--only", "pace", "--only=burst"], groups),
    ).toMatchObject({ quick: true, json: true, only: ["pace", "burst"] });
    expect(readOptions(["-h"], groups).help).toBe(true);
  });

  it.each([
    [["--slow"], /Unknown option '--slow'.*see --help/],
    [["pace"], /see --help/],
    [["--only", "none"], /^--only none is none of pace, burst$/],
    [["--write", "--quick"], /^--write keeps the figures of a full run/],
    [["--write", "--only", "pace"], /^--write keeps the figures of a full run/],
  ])("are refused in one line: %j", (args, words) => {
    expect(() => readOptions(args, groups)).toThrow(words);
  });

  it("are all in the help, with the groups", () => {
    const text = help(groups);
    for (const word of ["--quick", "--json", "--only", "--write", "--help", "pace, burst"]) {
      expect(text).toContain(word);
    }
  });
});
