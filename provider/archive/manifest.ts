import { z } from "zod";
import { ArchiveError } from "../contract/errors";
import { entryOf } from "./entry-names";

/** Which form of an archive this package writes and reads. */
const FORMAT = 1;

const sha256 = z.string().regex(/^[0-9a-f]{64}$/);

const person = { email: z.string(), firstName: z.string(), lastName: z.string() };

const count = z.int().nonnegative();

const manifest = z
  .strictObject({
    format: z.literal(FORMAT),
    tenant: z.strictObject({
      id: z.uuid(),
      name: z.string(),
      slug: z.string(),
      status: z.string(),
      createdAt: z.iso.datetime(),
    }),
    /** Null for a tenant without one. Nobody's password is in an archive, in no form. */
    admin: z.strictObject(person).nullable(),
    members: z.array(z.strictObject({ ...person, role: z.string() })),
    /** Each applied migration, with the SHA-256 of its file. */
    migrations: z.record(z.string(), sha256),
    /** The fingerprint of the schema: see `fingerprintOf`. */
    fingerprint: sha256,
    /** When the snapshot was taken that all rows are of. */
    snapshotAt: z.iso.datetime(),
    /** PostgreSQL's version, such as `18.4`. */
    postgres: z.string(),
    /** In the order in which they can be loaded. */
    tables: z.array(
      z.strictObject({
        name: z.string().min(1),
        /** Where its rows are: CSV as PostgreSQL writes it, with a header. */
        file: z.string(),
        /** Without generated ones. */
        columns: z.array(z.string()),
        rows: count,
        bytes: count,
        sha256,
      }),
    ),
    sequences: z.array(
      z.strictObject({
        name: z.string().min(1),
        lastValue: z.string().regex(/^-?\d{1,19}$/),
        isCalled: z.boolean(),
      }),
    ),
  })
  .refine(({ tables }) => new Set(tables.map(({ name }) => name)).size === tables.length)
  .refine(({ tables }) => tables.every(({ name, file }) => file === entryOf(name)));

/** What an archive says of itself. */
export type Manifest = z.infer<typeof manifest>;

/** What an archive says of one table. */
export type ArchivedTable = Manifest["tables"][number];

/** The bytes of the last entry. */
export function manifestText(contents: Omit<Manifest, "format">): string {
  return `${JSON.stringify({ format: FORMAT, ...contents }, undefined, 2)}\n`;
}

/**
 * Reads the last entry.
 *
 * @throws {@link ArchiveError} where it is of another form, or is none.
 */
export function readManifest(text: string): Manifest {
  const value = parse(text);
  const head = z.object({ format: z.unknown() }).safeParse(value).data;
  if (head !== undefined && head.format !== FORMAT) {
    throw new ArchiveError(
      `is of format ${JSON.stringify(head.format)}, and this package reads format ${FORMAT}`,
    );
  }
  const read = manifest.safeParse(value);
  if (read.success) return read.data;
  const where = read.error.issues.map(({ path }) => path.join(".") || "as a whole");
  throw new ArchiveError(`has a manifest that cannot be read: ${[...new Set(where)].join(", ")}`);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new ArchiveError("has a manifest that is no JSON", { cause: error });
  }
}
