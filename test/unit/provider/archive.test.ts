import { createWriteStream, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { buffer } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import { pack } from "tar-stream";
import { entryOf } from "../../../provider/archive/entry-names";
import { manifestText, type Manifest } from "../../../provider/archive/manifest";
import { readArchive } from "../../../provider/archive/read";
import { ArchiveWriter } from "../../../provider/archive/write";
import { loadOrder } from "../../../provider/database/exported-tables";

const folder = mkdtempSync(path.join(tmpdir(), "archive-"));
afterAll(() => rmSync(folder, { recursive: true }));
const file = (name: string) => path.join(folder, name);

const names = ["plain", "empty", "../../etc/passwd", `a "b"\n'c'.`, "é".repeat(31), "%2E", "UPPER"];

const about = {
  tenant: {
    id: "a4f0ac1e-6c13-4d87-9b0a-0a3c2a1f6f11",
    ...{ name: "Acme", slug: "acme", status: "active", createdAt: "2026-01-01T00:00:00.000Z" },
  },
  admin: null,
  members: [],
  migrations: {},
  fingerprint: "0".repeat(64),
  snapshotAt: "2026-01-01T00:00:00.000Z",
  postgres: "18.4",
  sequences: [],
};

async function* chunks(text: string) {
  yield Buffer.from(text.slice(0, 10));
  await Promise.resolve();
  yield Buffer.from(text.slice(10));
}

const contentOf = (name: string) => (name === "empty" ? "" : `${name}\n`.repeat(200));

/** Writes an archive with a table of each name. @param manifest Changes the text of its last entry. */
async function written(target: string, manifest = (text: string) => text): Promise<string> {
  const archive = new ArchiveWriter(new Date(about.snapshotAt));
  const done = pipeline(archive.stream, createWriteStream(file(target)));
  const tables: Manifest["tables"] = [];
  for (const name of names) {
    const text = contentOf(name);
    const entry = await archive.add(entryOf(name), Buffer.byteLength(text), chunks(text));
    tables.push({ name, file: entryOf(name), columns: ["x"], rows: 200, ...entry });
  }
  await archive.finish(manifest(manifestText({ ...about, tables })));
  await done;
  return file(target);
}

test("what was written is read again, whatever the tables are called, and no path leads elsewhere", async () => {
  const { manifest, rows } = await readArchive(await written("whole.tar"));
  expect(manifest.tables.map(({ name }) => name)).toEqual(names);
  for (const table of manifest.tables) {
    expect(table.file).toMatch(/^data\/[\w%-]+\.csv$/);
    expect((await buffer(rows(table))).toString()).toBe(contentOf(table.name));
  }
  expect(new Set(manifest.tables.map((table) => table.file)).size).toBe(names.length);
});

test.each([0, 100, 512, 700, 3_000])(
  "one that was cut off after %i bytes is refused",
  async (bytes) => {
    const whole = readFileSync(await written("to-cut.tar"));
    writeFileSync(file("cut.tar"), whole.subarray(0, bytes));
    await expect(readArchive(file("cut.tar"))).rejects.toMatchObject({ code: "ARCHIVE_REFUSED" });
  },
);

test("one that was cut off between two entries is refused for its manifest", async () => {
  const tar = pack();
  tar.entry({ name: "data/plain.csv" }, "x");
  tar.finalize();
  await pipeline(tar as AsyncIterable<unknown>, createWriteStream(file("no-manifest.tar")));
  await expect(readArchive(file("no-manifest.tar"))).rejects.toThrow(
    "no-manifest.tar has no manifest: it was cut off",
  );
});

test("one whose bytes were changed is refused, and the file is named", async () => {
  const whole = readFileSync(await written("to-change.tar"));
  whole[600] = (whole[600] ?? 0) ^ 1;
  writeFileSync(file("changed.tar"), whole);
  await expect(readArchive(file("changed.tar"))).rejects.toThrow(
    "changed.tar is damaged: data/plain.csv is not what the manifest says",
  );
});

test("rows that are changed after the archive was read fail whoever loads them", async () => {
  const { manifest, rows } = await readArchive(await written("moving.tar"));
  const whole = readFileSync(file("moving.tar"));
  whole[600] = (whole[600] ?? 0) ^ 1;
  writeFileSync(file("moving.tar"), whole);
  const [table] = manifest.tables;
  await expect(table && buffer(rows(table))).rejects.toThrow("is damaged");
});

test.each<[string, (text: string) => string, RegExp]>([
  ["of another format", (text) => text.replace('"format": 1', '"format": 2'), /format 2.*format 1/],
  ["without a format", () => "{}", /manifest/],
  ["that is no JSON", () => "no", /no JSON/],
  ["with a field that is not known", (text) => text.replace("{", '{"more": 1,'), /manifest/],
  [
    "with a path that leads elsewhere",
    (text) => text.replaceAll("data/plain.csv", "../plain.csv"),
    /manifest/,
  ],
  ["that lacks a table", (text) => text.replace(/\{\s+"name": "plain"[^}]*\},/, ""), /entry/],
])("a manifest %s is refused", async (_, change, reason) => {
  await expect(readArchive(await written("manifest.tar", change))).rejects.toThrow(reason);
});

test.each([
  { name: "data/plain.csv", type: "symlink", linkname: "/etc/passwd" },
  { name: "../elsewhere", type: "directory" },
  { name: "/etc/passwd", type: "file" },
] as const)("an entry that no archive has is refused: $name, a $type", async (header) => {
  const tar = pack();
  tar.entry({ ...header }, header.type === "file" ? "x" : "");
  tar.entry({ name: "manifest.json" }, manifestText({ ...about, tables: [] }));
  tar.finalize();
  await pipeline(tar as AsyncIterable<unknown>, createWriteStream(file("odd.tar")));
  await expect(readArchive(file("odd.tar"))).rejects.toThrow(/has an entry that/);
});

test.each(["missing.tar", "."])("a file that cannot be read is refused: %s", async (name) => {
  await expect(readArchive(file(name))).rejects.toThrow("cannot be read");
});

test("tables are loaded after those to which they refer, and a circle by name", () => {
  const links = [
    ["a", "b"],
    ["b", "c"],
    ["d", "d"],
    ["e", "f"],
    ["f", "e"],
    ["g", "elsewhere"],
    ["after", "e"],
  ] as const;
  expect(loadOrder(["a", "after", "b", "c", "d", "e", "f", "g"], links)).toEqual([
    ...["c", "d", "g", "b", "a", "e", "after", "f"],
  ]);
});
