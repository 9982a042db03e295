import { mutatedFolders, help, OptionsError, readOptions } from "../../mutation/options";

test("a run tries 200 mutants of all that is mutated unless something else is asked for", () => {
  expect(readOptions([])).toEqual({
    ...{ sample: 200, seed: 1, unit: false, e2e: false, tests: 12 },
    ...{ folders: mutatedFolders, seconds: undefined, threshold: undefined },
  });
});

test("the threshold is 85 where none is named", () => {
  expect(readOptions(["--threshold="])).toMatchObject({ threshold: 85 });
  expect(readOptions(["--threshold", "60"])).toMatchObject({ threshold: 60 });
});

test.each([
  [["--sample", "0"], /^--sample must be at least 1$/],
  [["--seed", "x"], /^--seed takes a number$/],
  [["--threshold", "101"], /^--threshold is a percentage$/],
  [["--folder", "bench/"], /^--folder bench\/ is not among what is mutated$/],
  [["--fast"], /Unknown option '--fast'/],
])("%j are refused in one line", (argv, words) => {
  expect(() => readOptions(argv)).toThrow(OptionsError);
  expect(() => readOptions(argv)).toThrow(words);
});

test("every option is in the help", () => {
  expect(readOptions(["--help"])).toBe("help");
  for (const name of ["sample", "seed", "folder", "unit", "e2e", "seconds", "tests", "threshold"]) {
    expect(help).toContain(`--${name}`);
  }
});
