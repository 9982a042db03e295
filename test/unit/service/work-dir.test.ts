import {
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { makeRoot } from "../../../service/pulumi/work-dir";
import { ownTag } from "../../../service/system/processes";

let folder: string;
beforeEach(() => (folder = mkdtempSync(path.join(tmpdir(), "work-dir-test-"))));
afterEach(() => rmSync(folder, { recursive: true }));

const [host = "", namespace = "", pid = "", started = ""] = ownTag().split("-");
const dead = [host, namespace, pid, `${started}1`];

/** Makes the folder of a process with this tag, with a file and a link to another folder in it. */
function leave(tag: readonly string[], name = "abc123"): string {
  const left = path.join(folder, `pulumi-tenant-run-${tag.join("-")}-${name}`);
  mkdirSync(path.join(left, "host-1"), { recursive: true });
  writeFileSync(path.join(left, "host-1", "Pulumi.yaml"), "name: x\n");
  symlinkSync(bystander(), path.join(left, "host-1", "node_modules"));
  return left;
}

/** A folder of somebody else's, to which links lead. */
function bystander(): string {
  const there = path.join(folder, "bystander");
  mkdirSync(there, { recursive: true });
  writeFileSync(path.join(there, "kept"), "");
  return there;
}

test("the folder of a process that is gone is removed, and what its links lead to is not", () => {
  const left = leave(dead);
  const root = makeRoot(folder);
  expect(existsSync(left)).toBe(false);
  expect(lstatSync(root).mode & 0o777).toBe(0o700);
  expect(readdirSync(bystander())).toEqual(["kept"]);
});

test.each([
  ["a process that lives", [host, namespace, pid, started]],
  ["a process of another machine", ["0123456789ab", namespace, pid, `${started}1`]],
  ["a process of another container", [host, `${namespace}1`, pid, `${started}1`]],
])("the folder of %s stays", (_, tag) => {
  const left = leave(tag);
  makeRoot(folder);
  expect(existsSync(path.join(left, "host-1", "Pulumi.yaml"))).toBe(true);
});

test("a link with the name of a dead process's folder leads nowhere", () => {
  const link = path.join(folder, `pulumi-tenant-run-${dead.join("-")}-link`);
  symlinkSync(bystander(), link);
  makeRoot(folder);
  expect(readdirSync(bystander())).toEqual(["kept"]);
});

test("the folder of another user stays, whatever its name says", () => {
  const left = leave(dead);
  // Only root can give a file away. Anybody else is somebody else than the folder's owner then.
  const uid = process.getuid?.() ?? 0;
  const asked = jest.spyOn(process, "getuid");
  if (uid === 0) chownSync(left, 12_345, 12_345);
  else asked.mockReturnValue(uid + 1);
  makeRoot(folder);
  asked.mockRestore();
  expect(existsSync(path.join(left, "host-1", "Pulumi.yaml"))).toBe(true);
});
