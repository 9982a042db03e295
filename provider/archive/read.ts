import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { Readable, type Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { extract, type Header } from "tar-stream";
import { ArchiveError } from "../contract/errors";
import { MANIFEST } from "./entry-names";
import { readManifest, type ArchivedTable, type Manifest } from "./manifest";

/** An archive whose every byte was checked. */
export interface Archive {
  readonly manifest: Manifest;
  /** SHA-256 of the manifest, in hex: by it an archive is known. */
  readonly digest: string;
  /** The rows of a table, as PostgreSQL takes them. Fails where they are not those that were checked. */
  readonly rows: (table: ArchivedTable) => Readable;
}

/** A file in the archive: where it begins, and what it is. */
interface Found {
  readonly at: number;
  readonly bytes: number;
  readonly sha256: string;
}

/** How large a manifest may be: that of 100,000 tables is smaller. */
const MOST_MANIFEST_BYTES = 64 * 1024 * 1024;

/**
 * Reads an archive to its end and checks all of it. Its rows stay in the file.
 *
 * @param onBytes Called with how many bytes were read, as they are.
 * @throws {@link ArchiveError} where the file cannot be read, is damaged or cut off, is of another format, or has
 * something in it that no archive has. The message begins with the file's name.
 */
export async function readArchive(
  file: string,
  onBytes: (bytes: number) => void = () => undefined,
): Promise<Archive> {
  try {
    const { files, text } = await index(file, onBytes);
    if (text === undefined) throw new ArchiveError("has no manifest: it was cut off");
    const manifest = readManifest(text.toString());
    assertComplete(manifest, files);
    const digest = createHash("sha256").update(text).digest("hex");
    return { manifest, digest, rows: (table) => rowsOf(file, table, files.get(table.file)) };
  } catch (error) {
    const reason = error instanceof ArchiveError ? error.message : `cannot be read: ${why(error)}`;
    throw new ArchiveError(`${file} ${reason}`, { cause: error });
  }
}

async function index(file: string, onBytes: (bytes: number) => void) {
  const files = new Map<string, Found>();
  let text: Buffer | undefined;
  const tar = extract();
  const reading = pipeline(createReadStream(file), tar as unknown as Writable);
  // The entries fail first where the file cannot be read, and the reason is this one's.
  reading.catch(() => undefined);
  try {
    for await (const entry of tar) {
      const { name, at, size } = placeOf(entry.header);
      if (entry.header.type !== "file" || files.has(name) || text !== undefined) {
        throw new ArchiveError(`has an entry that no archive has: ${JSON.stringify(name)}`);
      }
      const content = entry as AsyncIterable<unknown> as AsyncIterable<Buffer>;
      if (name === MANIFEST) text = await contentOf(content, size);
      else files.set(name, { at, bytes: size, sha256: await digestOf(content, onBytes) });
    }
  } catch (error) {
    if (error instanceof ArchiveError) throw error;
    await reading;
    throw error;
  }
  await reading;
  return { files, text };
}

/** The offset is not in the types: https://github.com/mafintosh/tar-stream/blob/v3.2.2/extract.js */
function placeOf(header: Header & { readonly byteOffset?: number }) {
  const { name, size, byteOffset: at = 0 } = header;
  return { name, size, at };
}

async function contentOf(entry: AsyncIterable<Buffer>, size: number): Promise<Buffer> {
  if (size > MOST_MANIFEST_BYTES) throw new ArchiveError("has a manifest that is too large");
  const chunks: Buffer[] = [];
  for await (const chunk of entry) chunks.push(chunk);
  return Buffer.concat(chunks);
}

async function digestOf(
  entry: AsyncIterable<Buffer>,
  onBytes: (bytes: number) => void,
): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of entry) {
    hash.update(chunk);
    onBytes(chunk.length);
  }
  return hash.digest("hex");
}

function assertComplete({ tables }: Manifest, files: ReadonlyMap<string, Found>): void {
  const known = new Set(tables.map(({ file }) => file));
  for (const name of files.keys()) {
    if (!known.has(name)) {
      throw new ArchiveError(`has an entry that its manifest does not: ${JSON.stringify(name)}`);
    }
  }
  for (const table of tables) {
    const found = files.get(table.file);
    if (found === undefined) throw new ArchiveError(`is damaged: it lacks ${table.file}`);
    if (found.sha256 !== table.sha256 || found.bytes !== table.bytes) throw damaged(table);
  }
}

function rowsOf(file: string, table: ArchivedTable, found: Found | undefined): Readable {
  if (found === undefined || found.bytes === 0) return Readable.from([]);
  const bytes = createReadStream(file, { start: found.at, end: found.at + found.bytes - 1 });
  return Readable.from(checked(bytes, table), { objectMode: false });
}

/** Checks the bytes once more as they are handed on: the file may have been changed since it was read. */
async function* checked(bytes: Readable, table: ArchivedTable) {
  const hash = createHash("sha256");
  for await (const chunk of bytes as AsyncIterable<Buffer>) {
    hash.update(chunk);
    yield chunk;
  }
  if (hash.digest("hex") !== table.sha256) throw damaged(table);
}

const damaged = ({ file }: ArchivedTable) =>
  new ArchiveError(`is damaged: ${file} is not what the manifest says`);

function why(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
