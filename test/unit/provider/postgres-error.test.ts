import { detailOf, sqlstateOf } from "../../../provider/database/postgres-error";

/** As dbmate's driver prints a message of the protocol: its fields, each behind its letter. */
const printed = (fields: Record<string, string>) => {
  const text = Object.entries(fields)
    .map(([code, value]) => `${code}${value}\\x00`)
    .join("");
  return `SERVER < (E) ErrorResponse  120  "${text}\\x00"`;
};
const message = 'Error: pq: could not create unique index "a" (23505)';
const fields = { S: "ERROR", C: "23505", M: 'could not create unique index \\"a\\"' };

test("DETAIL and HINT are told, in this order and on one line", () => {
  const output = `applying\n${printed({ ...fields, H: "Look\\tthere.", D: "Key (code)=(a)\\nis twice." })}\nmore`;
  expect(detailOf(output, message)).toBe(". DETAIL: Key (code)=(a) is twice. HINT: Look there");
});

test("the SQLSTATE is that of the error of which dbmate speaks", () => {
  expect(sqlstateOf(printed(fields), message)).toBe("23505");
  expect(sqlstateOf(printed({ ...fields, M: "another" }), message)).toBeUndefined();
});

test("nothing else of the output is", () => {
  expect(detailOf(printed({ ...fields, W: "a password" }), message)).toBe("");
  expect(detailOf("D: Key (code)=(a)", message)).toBe("");
  expect(detailOf(`x${printed({ ...fields, D: "not at the beginning" })}`, message)).toBe("");
});

test("an error of which dbmate does not speak is not told", () => {
  expect(detailOf(printed({ ...fields, M: "another", D: "Key (code)=(a)" }), message)).toBe("");
});

test("the last of several errors is told", () => {
  const output = [
    printed({ ...fields, D: "the first" }),
    printed({ ...fields, D: "the last" }),
  ].join("\n");
  expect(detailOf(output, message)).toBe(". DETAIL: the last");
});

test("letters that the driver writes by their numbers are read, and a long text is cut", () => {
  const detail = "caf\\u00e9 \\U0001F3E2 \\x41\\\\";
  expect(detailOf(printed({ ...fields, D: detail }), message)).toBe(". DETAIL: café 🏢 A\\");
  expect(detailOf(printed({ ...fields, D: "x".repeat(2_000) }), message)).toHaveLength(1_000);
});
