/**
 * Which folder may import which: service → program → provider, each also what is below that, and
 * beside them fleet, on provider, and engine, both for the service, the benches and the tests. scripts is below
 * all of them.
 */
const only = (name, from, allowed, comment) => ({
  name,
  comment,
  severity: "error",
  from: { path: `^${from}/` },
  to: {
    path: "^(provider|program|fleet|service|engine|scripts|bench|docs|test)/",
    pathNot: `^(${allowed.join("|")})/`,
  },
});

module.exports = {
  forbidden: [
    only(
      "provider-stands-alone",
      "provider",
      ["provider"],
      "The library needs nothing of this house.",
    ),
    only(
      "program-on-provider",
      "program",
      ["program", "provider"],
      "A program uses the library only.",
    ),
    only(
      "service-on-program-and-engine",
      "service",
      ["service", "program", "fleet", "provider", "engine", "scripts"],
      "The service knows neither benches nor tests.",
    ),
    only(
      "fleet-on-provider",
      "fleet",
      ["fleet", "provider"],
      "Many tenants are migrated without a service.",
    ),
    only(
      "engine-stands-alone",
      "engine",
      ["engine", "scripts", "provider/connections"],
      "The engine knows no tenant. A stand-in watches its connections as the library does.",
    ),
    only(
      "scripts-stand-alone",
      "scripts",
      ["scripts"],
      "scripts runs before anything is installed or built.",
    ),
    only(
      "docs-on-what-they-describe",
      "docs",
      ["docs", "service"],
      "A page is made from the service; nothing is made from a page.",
    ),
    only(
      "bench-on-all-but-tests",
      "bench",
      ["provider", "program", "fleet", "service", "engine", "scripts", "bench"],
      "A bench measures what is built, and needs no test.",
    ),
    {
      name: "no-cycles",
      comment: "Two files that need each other are one file, or three.",
      severity: "error",
      from: {},
      to: { circular: true },
    },
    {
      name: "no-folder-cycles",
      comment: "Folders that need each other are one folder, or what both need is a third.",
      severity: "error",
      scope: "folder",
      from: { path: "^(provider|program|fleet|engine|scripts|bench|service)(/|$)" },
      to: { circular: true },
    },
    {
      name: "nobody-asks-for-a-stand-in",
      comment: "Which piece is a stand-in is known inside engine/ only; their own tests may look.",
      severity: "error",
      from: { pathNot: "^(engine|test/[^/]+/standins)/" },
      to: { path: "^engine/standins/" },
    },
    {
      name: "library-without-http-and-automation",
      comment: "A stack imports the library: no Express, no Automation API comes along.",
      severity: "error",
      from: { path: "^(provider|program)/" },
      to: { path: "node_modules/(express|@pulumi/pulumi/automation)(/|$)" },
    },
    {
      name: "library-ships-its-dependencies",
      comment: "What provider/ imports must be installed with the package.",
      severity: "error",
      from: { path: "^provider/" },
      to: { dependencyTypes: ["npm-dev", "npm-no-pkg", "npm-unknown"], pathNot: "@pulumi/pulumi/" },
    },
    {
      name: "resolvable",
      comment: "An import that leads nowhere.",
      severity: "error",
      from: {},
      to: { couldNotResolve: true },
    },
  ],
  options: {
    tsConfig: { fileName: "tsconfig.json" },
    // Types are arrows too.
    tsPreCompilationDeps: true,
    doNotFollow: { path: "node_modules" },
    exclude: { path: "^dist/" },
    enhancedResolveOptions: {
      exportsFields: ["exports"],
      conditionNames: ["require", "node", "import", "types"],
    },
  },
};
