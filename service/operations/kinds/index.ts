import { change } from "./change";
import type { KindName } from "../store/operation";
import type { Kind } from "./kind";
import { setup } from "./setup";

/** Every verb that the service knows. */
export const kinds = { setup, change } as const;

/** The verb with this name, as far as its operations need it after they were accepted. */
export function kindOf(name: KindName): Pick<Kind, "title" | "mayDelete" | "success" | "takeBack"> {
  return kinds[name];
}
