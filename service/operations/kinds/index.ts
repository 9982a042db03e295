import type { KindName, Operation } from "../store/operation";
import { adopt } from "./adopt";
import { change } from "./change";
import { remove } from "./delete";
import type { Kind } from "./kind";
import { purge } from "./purge";
import { release } from "./release";
import { restore } from "./restore";
import { resume } from "./resume";
import { setup } from "./setup";
import { suspend } from "./suspend";

/** Every verb that the service knows. */
export const kinds = {
  ...{ setup, change, suspend, resume, delete: remove, restore, purge, release, adopt },
} as const;

/** The verb with this name, as far as its operations need it after they were accepted. */
export function kindOf(name: KindName): Pick<Kind, "title" | "success" | "takeBack" | "settle"> {
  return kinds[name];
}

/** What the log calls an operation: `the set-up of tenant acme`. */
export function nameOf({ kind, slug }: Operation): string {
  return `${kindOf(kind).title} of tenant ${slug}`;
}
