/** One lock of a stack, as the CLI tells it. */
export interface ToldLock {
  readonly pid: number;
  readonly machine: string;
  readonly user?: string;
  readonly at?: Date;
}

/** The Automation API's error over locks, with the words of the CLI 3.246.0. */
export function lockedError(...locks: readonly ToldLock[]): Error {
  const command =
    "Command failed with exit code 1: pulumi up --yes --skip-preview --color never " +
    "--client=127.0.0.1:43887 --exec-kind auto.inline --stack acme --non-interactive";
  const lines = locks.map(({ pid, machine, user = "app", at = new Date() }, index) => {
    const file = `.pulumi/locks/organization/tenant-service/acme/${index}.json`;
    const time = at.toISOString().replace(/\.\d+Z$/, "Z");
    return `\n  file:///state/${file}?no_tmp_dir=true: created by ${user}@${machine} (pid ${pid}) at ${time}`;
  });
  const said = `${command}
error: the stack is currently locked by ${locks.length} lock(s). Either wait for the other process(es) to end or delete the lock file with \`pulumi cancel\`.${lines.join("")}`;
  return new Error(`code: -2\n stdout: \n stderr: ${said}\n err?: Error: ${said}\n`);
}
