import { version } from "@pulumi/postgresql/package.json";
import { servePlugin } from "../serve";
import { postgresqlPlugin } from "./provider";

void servePlugin(postgresqlPlugin(version));
