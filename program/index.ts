import * as pulumi from "@pulumi/pulumi";
import { notValid, readStackConfig } from "./config";
import { declareStack } from "./stack";

// The SDK records a call stack for every promise and resource that it makes, for messages that few ever
// see. At full length that takes a quarter of the time of a program with a hundred tenants.
Error.stackTraceLimit = 2;

const config = new pulumi.Config();

const { faults, ...stack } = readStackConfig(
  config.getObject("tenants"),
  config.getObject("database"),
);

/** The stack's outputs: key (the slug, unless the configuration has a `key`) → the tenant's id, schema, admin, status and migration version. */
export const { tenants } = declareStack(stack);

// Only now, so that the faults of all tenants are reported at once. A program that has failed ends none.
if (faults.length > 0) throw notValid(faults);
