import * as pulumi from "@pulumi/pulumi";
import { readConfig } from "./config";
import { declareStack } from "./stack";

const config = new pulumi.Config();

/** The stack's outputs: slug → the tenant's id, schema, admin, status and migration version. */
export const { tenants } = declareStack(
  readConfig(config.getObject("tenants"), config.getObject("database")),
);
