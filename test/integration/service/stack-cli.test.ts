import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { stackCli } from "../../../service/pulumi/stack-cli";

/**
 * A CLI that writes down how it was called, and a stack's settings where it makes one. It fails where a file is
 * named like the command, with that file's words.
 */
const script = `#!/bin/sh
echo "$*" >> ../calls
if [ "$1 $2" = "stack init" ]; then echo "encryptionsalt: of $3" > "Pulumi.$3.yaml"; fi
if [ "$1 $2" = "stack import" ]; then cp "$6" ../imported; fi
if [ -f "../$1-$2" ]; then cat "../$1-$2" >&2; rm "../$1-$2"; exit 255; fi
`;
const root = mkdtempSync(path.join(tmpdir(), "stack-cli-"));
afterAll(() => rmSync(root, { recursive: true }));

/** The CLI in a folder of its own. */
function fake() {
  const folder = mkdtempSync(path.join(root, "case-"));
  const file = (name: string) => path.join(folder, name);
  writeFileSync(file("pulumi"), script);
  chmodSync(file("pulumi"), 0o755);
  const cwd = mkdtempSync(path.join(folder, "work-"));
  return {
    cli: stackCli({
      ...{ pulumi: file("pulumi"), env: process.env, cwd },
      signal: new AbortController().signal,
    }),
    /** Has a command fail once. */
    fails: (command: string, words: string) => writeFileSync(file(command), words),
    calls: () => readFileSync(file("calls"), "utf8").replaceAll(" --non-interactive", ""),
    read: (name: string) => readFileSync(file(name), "utf8"),
    left: () => readdirSync(cwd),
  };
}

const init = (name: string) => `stack init ${name} --secrets-provider passphrase --no-select\n`;
const other = <T>(work: (name: string) => Promise<T>) => work("other");

test("a stack that is made gives its settings, and leaves no file of them", async () => {
  const { cli, calls, left } = fake();
  expect(await cli.make("acme")).toBe("encryptionsalt: of acme\n");
  expect(calls()).toBe(init("acme"));
  expect(left()).toEqual([]);
});

test("a stack that cannot be made leaves none either, and the CLI's words are told", async () => {
  const { cli, fails, left } = fake();
  fails("stack-init", "error: a stack named acme already exists");
  await expect(cli.make("acme", { background: true })).rejects.toThrow("already exists");
  expect(left()).toEqual([]);
});

test.each([true, false])("a state is emptied by one without resources (%s)", async (works) => {
  const { cli, calls, fails, read, left } = fake();
  if (!works) fails("stack-import", "error: no such stack");
  const emptied = cli.empty("acme");
  await (works ? emptied : expect(emptied).rejects.toThrow("no such stack"));
  expect(calls()).toMatch(/^stack import --stack acme --file \S+acme\.json --force\n$/);
  expect(JSON.parse(read("imported"))).toEqual({
    version: 3,
    deployment: { manifest: expect.objectContaining({ magic: "", version: "" }) as object },
  });
  expect(left()).toEqual([]);
});

describe("a stack is removed", () => {
  const end = "cancel acme --yes\nstack rm acme --yes --force\n";

  test("with its lock", async () => {
    const { cli, calls } = fake();
    await cli.remove("acme", other);
    expect(calls()).toBe(end);
  });

  test("and where it was never made, the lock that is left of it, by way of another name", async () => {
    const { cli, calls, fails, left } = fake();
    fails("cancel-acme", "error: no stack named 'acme' found");
    await cli.remove("acme", other);
    expect(calls()).toBe(
      `cancel acme --yes\n${init("other")}stack rename acme --stack other\n${end}`,
    );
    expect(left()).toEqual([]);
  });

  test("unless the state backend says something else", async () => {
    const { cli, calls, fails } = fake();
    fails("cancel-acme", "error: the bucket is away");
    await expect(cli.remove("acme", other)).rejects.toThrow("the bucket is away");
    expect(calls()).toBe("cancel acme --yes\n");
  });
});
