import { spawn } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import { text } from "node:stream/consumers";
import { isPasswordHash, verifyPassword } from "../../../provider/contract/passwords";

const script = path.resolve(__dirname, "../../../service/hash-password.js");
const password = "a quiet purple river";

/** Runs a command with this standard input, and gives what it printed. */
async function run([command = "", ...args]: string[], input: string | Buffer) {
  const child = spawn(command, args, { stdio: "pipe" });
  child.stdin.end(input);
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
  if (child.exitCode === null) await once(child, "exit");
  return { code: child.exitCode, stdout, stderr };
}
const hash = (input: string | Buffer, ...args: string[]) =>
  run([process.execPath, script, ...args], input);

test.each([password, `${password}\n`, `${password}\r\n`])(
  "the hash of what is piped is alone on standard output: %j",
  async (input) => {
    const { code, stdout, stderr } = await hash(input);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toMatch(/^\S+\n$/);
    expect(isPasswordHash(stdout.trim())).toBe(true);
    expect(await verifyPassword(stdout.trim(), password)).toBe(true);
  },
);

test("two hashes of one password differ: each has a salt of its own", async () => {
  expect((await hash(password)).stdout).not.toBe((await hash(password)).stdout);
});

test.each([
  ["hunter2", "the password must have at least 8 characters\n"],
  ["password1", "the password is one of the commonest passwords; choose another\n"],
  ["", "the password must have at least 8 characters\n"],
  [`${password}\nhunter2hunter2`, "the password must not have control characters\n"],
  [Buffer.from([0xff, 0xfe, 0xfd]), "the password must be text in UTF-8\n"],
])("%j is refused, and not repeated", async (input, words) => {
  expect(await hash(input)).toEqual({ code: 1, stdout: "", stderr: words });
});

test("a password among the arguments is refused, and not repeated", async () => {
  expect(await hash("", "hunter2hunter2")).toEqual({
    code: 1,
    stdout: "",
    stderr: "hash-password takes no argument but --help\n",
  });
});

test("--help says how", async () => {
  expect((await hash("", "--help")).stdout).toContain("npm run --silent hash-password");
});

describe("at a terminal", () => {
  /** Types these lines, each after its prompt, at a terminal that `script` makes. */
  async function atTerminal(...lines: string[]) {
    const command = `${process.execPath} ${script}`;
    const child = spawn("script", ["-qec", command, "/dev/null"], { stdio: "pipe" });
    let shown = "";
    child.stdout.on("data", (chunk: Buffer) => {
      const before = shown;
      shown += chunk.toString();
      const prompts = (said: string) => said.match(/(Password|Again): /g)?.length ?? 0;
      for (let asked = prompts(before); asked < prompts(shown); asked++) {
        child.stdin.write(lines[asked] ?? "");
      }
    });
    const [code] = (await once(child, "close")) as [number | null];
    return { code, shown };
  }

  test("it is asked for twice, and never shown", async () => {
    const { code, shown } = await atTerminal(`${password}\r`, `${password}\r`);
    expect(code).toBe(0);
    expect(shown).not.toContain("purple");
    const [line = ""] = /\$argon2id\S+/.exec(shown) ?? [];
    expect(await verifyPassword(line, password)).toBe(true);
  });

  test("two that differ are refused", async () => {
    const { code, shown } = await atTerminal(`${password}\r`, `${password}!\r`);
    expect({ code, refused: shown.includes("the two are not the same") }).toEqual({
      code: 1,
      refused: true,
    });
    expect(shown).not.toContain("purple");
  });

  test.each([
    ["Ctrl-C", "\u0003"],
    ["Ctrl-D", "\u0004"],
  ])("%s ends it", async (_, keys) => {
    const { code, shown } = await atTerminal(keys);
    expect({ code, said: shown.includes("no password was typed") }).toEqual({
      code: 1,
      said: true,
    });
  });
});
