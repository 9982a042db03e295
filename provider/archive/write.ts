import { createHash } from "node:crypto";
import type { Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { pack, type Pack } from "tar-stream";
import { MANIFEST } from "./entry-names";

/** What was written of one entry. */
export interface Written {
  readonly bytes: number;
  /** In hex. */
  readonly sha256: string;
}

/** Writes an archive, entry by entry, as fast as its reader takes it. */
export class ArchiveWriter {
  private readonly tar: Pack = pack();

  /** @param writtenAt The time that all entries have. */
  constructor(private readonly writtenAt: Date) {}

  /** The bytes of the archive. It ends after {@link finish}; left before that, it fails whoever is writing. */
  get stream(): AsyncIterable<Buffer> {
    return this.tar as AsyncIterable<unknown> as AsyncIterable<Buffer>;
  }

  /**
   * Adds a file.
   *
   * @param bytes How many bytes `source` has: a tar has them in front of the file.
   * @throws what `source` throws; Error where it has another number of bytes, or where nobody reads any more.
   */
  async add(name: string, bytes: number, source: AsyncIterable<Buffer>): Promise<Written> {
    const hash = createHash("sha256");
    await pipeline(
      source,
      async function* (chunks: AsyncIterable<Buffer>) {
        for await (const chunk of chunks) {
          hash.update(chunk);
          yield chunk;
        }
      },
      this.entry(name, bytes),
    );
    return { bytes, sha256: hash.digest("hex") };
  }

  /** Adds the manifest, and ends the archive. */
  async finish(manifest: string): Promise<void> {
    const bytes = Buffer.from(manifest);
    await pipeline([bytes], this.entry(MANIFEST, bytes.length));
    this.tar.finalize();
  }

  private entry(name: string, size: number): Writable {
    // Readable by its owner alone once it is unpacked: it is a customer's data.
    const header = { name, size, mtime: this.writtenAt, mode: 0o600, type: "file" } as const;
    // A stream of streamx, which Node's pipeline takes; its types are its own.
    return this.tar.entry(header) as unknown as Writable;
  }
}
