import * as pulumi from "@pulumi/pulumi";
import { readStackConfig } from "./config";
import { declareStack } from "./stack";

// The SDK writes down a stack for every promise and resource that it makes, and nobody reads them: whole
// ones are a quarter of the time of a stack of a hundred tenants.
Error.stackTraceLimit = 2;

const config = new pulumi.Config();

/** The stack's outputs: slug → the tenant's id, schema, admin, status and migration version. */
export const { tenants } = declareStack(
  readStackConfig(config.getObject("tenants"), config.getObject("database")),
);
