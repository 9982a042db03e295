/** The Pulumi project that all of the service's stacks belong to. */
export const PROJECT = "tenant-service";
