import { TestEnvironment } from "jest-environment-node";

interface TestEvent {
  readonly name: string;
  readonly test?: { mode?: string | null | undefined };
}

/** Leaves out the rest of a file's tests once one has failed; what they made is cleaned up still. */
export default class FailFast extends TestEnvironment {
  private hasFailed = false;

  readonly handleTestEvent = (event: TestEvent): void => {
    if (event.name === "test_fn_failure" || event.name === "hook_failure") this.hasFailed = true;
    if (event.name === "test_start" && this.hasFailed && event.test) event.test.mode = "skip";
  };
}
