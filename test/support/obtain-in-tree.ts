import { obtainEngine } from "../../engine/obtain/obtain";
import type { Places } from "../../engine/obtain/places";

/** Obtains the engine of a fake tree in a process of its own, which a test may kill. */
void obtainEngine(() => undefined, JSON.parse(process.env.TREE ?? "") as Places);
