import * as library from "../../../provider";
import * as errors from "../../../provider/contract/errors";

type ErrorClass = new (message: string, options?: ErrorOptions) => library.TenantError;

/** The errors among what a module exports; the base class of them all is none that is thrown. */
function errorClasses(module: object): ErrorClass[] {
  return Object.values(module).filter(
    (value: unknown): value is ErrorClass =>
      typeof value === "function" && value.prototype instanceof library.TenantError,
  );
}

const classes = errorClasses(library);

test("whoever imports the package has every error's class", () => {
  expect(classes).toEqual(expect.arrayContaining(errorClasses(errors)));
});

test("each error has a code of the list, and each code of the list one error", () => {
  const codes = classes.map((Class) => new Class("words").code);
  expect(codes.toSorted()).toEqual([...library.tenantErrorCodes].sort());
});

test.each(classes.map((Class) => [Class.name, Class] as const))(
  "%s keeps its words and its cause",
  (_, Class) => {
    const cause = new Error("connect ECONNREFUSED");
    const error = new Class("the words", { cause });
    expect(error).toMatchObject({ name: Class.name, cause });
    expect(error.message).toMatch(/(^|: )the words$/);
  },
);

test("of what the engine reports as text, those that another run cannot heal are told by their code", () => {
  const told = classes.filter((Class) => errors.isRefusal(`error: ${new Class("words").message}`));
  expect(told.map(({ name }) => name).sort()).toEqual([
    ...["DataGoneError", "OtherDatabaseError", "OvertakenError"],
  ]);
});
