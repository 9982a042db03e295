import type { Places } from "./places";

/**
 * The user's environment as tools get it that fetch, build or try a piece: the names below and no others. Until
 * a piece is known to be the right one, nothing that runs may know a secret of the service: the database's
 * address, the keys of tokens, the passphrase, a cloud's credentials.
 */
export function toolEnvironment({ environment }: Places): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(environment).filter(([name]) => needed.some((pattern) => pattern.test(name))),
  );
}

const needed = [
  /^(PATH|HOME|USER|TMPDIR|TZ|LANG|LC_[A-Z]+|XDG_(CACHE|CONFIG)_HOME|PULUMI_HOME)$/,
  // How the network is reached, and the certificates that are trusted.
  /^(https?|all|no|no_grpc|grpc)_proxy$/i,
  /^(SSL_CERT_(FILE|DIR)|CURL_CA_BUNDLE|NODE_EXTRA_CA_CERTS)$/,
  // Go's own: where its modules come from, what verifies them, where they are kept. Not GOOGLE_….
  /^GO(ROOT|PATH|BIN|CACHE|MODCACHE|TMPDIR|ENV|FLAGS|TOOLCHAIN|PROXY|SUMDB|PRIVATE|INSECURE|VCS|AUTH)$/,
  /^GO(NOPROXY|NOSUMDB|NOSUMCHECK|MAXPROCS|MEMLIMIT|GC)$/,
  /^(CGO_ENABLED|CC)$/,
];
