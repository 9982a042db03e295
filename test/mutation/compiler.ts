import { readFileSync } from "node:fs";
import path from "node:path";
import ts from "typescript";
import { applied, type Mutant } from "./mutant";

/** A mutant as the built program has it. */
export interface Built {
  /** The file's whole JavaScript. */
  readonly code: string;
  /** The first place at which it differs from the sound one. */
  readonly offset: number;
}

/** Compiles mutants of one checkout, one at a time. */
export interface Compiler {
  /** Undefined where the compiler refuses it, or where nothing of it is left in the JavaScript. */
  build(mutant: Mutant): Built | undefined;
}

/** @param files The paths in the checkout of all that may be mutated; what they import is found. */
export function createCompiler(checkout: string, files: readonly string[]): Compiler {
  const texts = new Map<string, { readonly text: string; readonly version: string }>();
  const service = ts.createLanguageService(hostOf(checkout, files, texts));
  let changes = 0;
  return {
    build(mutant) {
      const file = path.join(checkout, mutant.file);
      const sound = readFileSync(builtFile(checkout, mutant.file), "utf8");
      const text = applied(readFileSync(file, "utf8"), mutant);
      changes += 1;
      texts.clear();
      texts.set(file, { text, version: `mutant ${changes}` });
      const isRefused =
        service.getSyntacticDiagnostics(file).length > 0 ||
        service.getSemanticDiagnostics(file).length > 0;
      if (isRefused) return undefined;
      const code = service.getEmitOutput(file).outputFiles.at(0)?.text ?? "";
      const offset = placeOfChange(sound, code);
      return offset === undefined ? undefined : { code, offset };
    },
  };
}

function hostOf(
  checkout: string,
  files: readonly string[],
  texts: ReadonlyMap<string, { readonly text: string; readonly version: string }>,
): ts.LanguageServiceHost {
  const { config } = ts.readConfigFile(path.join(checkout, "tsconfig.json"), (name) =>
    ts.sys.readFile(name),
  ) as { config: unknown };
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, checkout);
  delete options.tsBuildInfoFile;
  const alone = { composite: false, declaration: false, sourceMap: false, incremental: false };
  const snapshots = new Map<string, ts.IScriptSnapshot>();
  const soundText = (file: string) => {
    const known = snapshots.get(file);
    if (known !== undefined) return known;
    const text = ts.sys.readFile(file);
    if (text === undefined) return undefined;
    const snapshot = ts.ScriptSnapshot.fromString(text);
    snapshots.set(file, snapshot);
    return snapshot;
  };
  return {
    getScriptFileNames: () => files.map((file) => path.join(checkout, file)),
    getScriptVersion: (file) => texts.get(file)?.version ?? "sound",
    getScriptSnapshot: (file) => {
      const changed = texts.get(file);
      return changed ? ts.ScriptSnapshot.fromString(changed.text) : soundText(file);
    },
    getCurrentDirectory: () => checkout,
    getCompilationSettings: () => ({ ...options, ...alone }),
    getDefaultLibFileName: (settings) => ts.getDefaultLibFilePath(settings),
    fileExists: (file) => ts.sys.fileExists(file),
    readFile: (file) => ts.sys.readFile(file),
    readDirectory: (...args) => ts.sys.readDirectory(...args),
    directoryExists: (name) => ts.sys.directoryExists(name),
    getDirectories: (name) => ts.sys.getDirectories(name),
    realpath: (name) => ts.sys.realpath?.(name) ?? name,
  };
}

function builtFile(checkout: string, file: string): string {
  return path.join(checkout, "dist", file.replace(/\.ts$/, ".js"));
}

/** A fault may leave an import unused, which is then not there any more. Nor has a mutant a source map. */
const besideTheCode = /^(?:const \w+ = (?:__import\w+\()?require\(|\/\/# sourceMappingURL=)/;

/** Where in the sound code the first line differs; undefined where none does. */
function placeOfChange(sound: string, code: string): number | undefined {
  const lines = code.split("\n").filter((line) => !besideTheCode.test(line));
  let at = 0;
  for (const line of sound.split("\n")) {
    if (!besideTheCode.test(line)) {
      const other = lines.shift() ?? "";
      if (line !== other) return at + firstDifference(line, other);
    }
    at += line.length + 1;
  }
  return undefined;
}

function firstDifference(one: string, other: string): number {
  let at = 0;
  while (at < one.length && one[at] === other[at]) at += 1;
  return at;
}
