import { mkdirSync, renameSync, symlinkSync } from "node:fs";
import path from "node:path";

/**
 * A `file://` backend that can go away and come back. Its address is a symbolic link that points to the
 * folder, or to nothing: the CLI can then neither read nor write, and makes no other folder in its place.
 */
export class Backend {
  /** Where the state is, also while the backend is away. */
  readonly folder: string;
  private readonly link: string;

  /** @param directory Where the folder and the link are made. */
  constructor(private readonly directory: string) {
    this.folder = path.join(directory, "state.data");
    this.link = path.join(directory, "state");
    mkdirSync(this.folder);
    this.bringBack();
  }

  /** As in `PULUMI_BACKEND_URL`. */
  get url(): string {
    return `file://${this.link}`;
  }

  /** Whoever reads or writes from now on fails. */
  takeAway(): void {
    this.pointTo(path.join(this.directory, "nowhere"));
  }

  /** It is as it was. */
  bringBack(): void {
    this.pointTo(this.folder);
  }

  /** Renamed into its place, so that at no moment there is no link, which the CLI would make a folder of. */
  private pointTo(target: string): void {
    const next = `${this.link}.next`;
    symlinkSync(target, next);
    renameSync(next, this.link);
  }
}
