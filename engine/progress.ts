/**
 * Does `work` and says how it goes: `describe()` at once, and again with the seconds gone for as
 * long as it takes, so that nothing is silent for more than two seconds.
 */
export async function withProgress<T>(
  report: (line: string) => void,
  describe: () => string,
  work: () => Promise<T>,
): Promise<T> {
  const began = performance.now();
  report(describe());
  const timer = setInterval(() => {
    report(`${describe()}, ${Math.round((performance.now() - began) / 1000)} s`);
  }, 1900);
  try {
    return await work();
  } finally {
    clearInterval(timer);
  }
}
