/** `npm run hash-password`: prints the hash of a password from standard input, and nothing else, on stdout. */
import { randomUUID } from "node:crypto";
import { createInterface } from "node:readline/promises";
import { Writable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { hashPassword } from "../provider/contract/passwords";
import { rules } from "../provider/contract/rules";

const help = `Prints a password's argon2id PHC string, which a stack takes as adminPassword. The password is
read from standard input, where a terminal does not show it; it is never an argument, which others could see.

  npm run --silent hash-password
  npm run --silent hash-password < FILE
  npm run --silent hash-password | pulumi config set --secret adminPassword

  --help  prints this`;

async function main(args: readonly string[]): Promise<void> {
  if (args.includes("--help")) {
    console.log(help);
    return;
  }
  // The argument is not repeated: it may be the password.
  if (args.length > 0) throw new Error("hash-password takes no argument but --help");
  const password = rules.plainPassword.safeParse(await (process.stdin.isTTY ? typed() : piped()));
  if (!password.success) {
    const faults = password.error.issues.map(({ message }) => message);
    throw new Error(`the password ${faults.join("; ")}`);
  }
  console.log(await hashPassword(password.data, randomUUID()));
}

/** All of standard input, without the line's end that `echo` and editors write. */
async function piped(): Promise<string> {
  const bytes = await buffer(process.stdin);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes).replace(/\r?\n$/, "");
  } catch {
    throw new Error("the password must be text in UTF-8");
  }
}

/** A line that a person types, twice, at a terminal that shows nothing of it. */
async function typed(): Promise<string> {
  const silence = new Writable({ write: (_chunk, _encoding, done) => done() });
  const terminal = createInterface({ input: process.stdin, output: silence, terminal: true });
  const ended = new AbortController();
  // Ctrl-C, and Ctrl-D on an empty line.
  terminal.once("SIGINT", () => terminal.close()).once("close", () => ended.abort());
  const ask = async (prompt: string) => {
    process.stderr.write(prompt);
    const line = await terminal.question("", { signal: ended.signal }).catch(() => {
      throw new Error("no password was typed");
    });
    process.stderr.write("\n");
    return line;
  };
  const first = await ask("Password: ");
  const second = await ask("Again: ");
  terminal.close();
  if (first !== second) throw new Error("the two are not the same");
  return first;
}

main(process.argv.slice(2)).catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
});
