import { PluginInfo } from "@pulumi/pulumi/proto/plugin_pb";
import { ResourceProviderService } from "@pulumi/pulumi/proto/provider_grpc_pb";
import {
  ConfigureResponse,
  PropertyDiff,
  type CheckRequest,
  type CheckResponse,
  type ConfigureRequest,
  type DiffRequest,
  type DiffResponse,
} from "@pulumi/pulumi/proto/provider_pb";
import { Empty } from "google-protobuf/google/protobuf/empty_pb";
import { messageOf, refusingTheRest, unary } from "../rpc";
import type { Plugin } from "../serve";
import { checkConfig, connectionConfig } from "./config";
import type { Connections } from "./connections";
import { checked, differing, nameOf, typeOf } from "./messages";
import { fromStruct } from "./properties";
import { check, create, destroy, diff, read, update } from "./schema-resource";
import { ConnectionsByEngine } from "./connections-by-engine";

const STAND_IN = "The stand-in for the postgresql plugin";
const SCHEMA_TYPE = "postgresql:index/schema:Schema";

/**
 * A stand-in for the plugin `pulumi-resource-postgresql`, for networks where that cannot be
 * downloaded. Of its resources it serves `postgresql.Schema`, and writes the state that the
 * official plugin writes.
 *
 * @param version of the npm package @pulumi/postgresql.
 */
export function postgresqlPlugin(version: string): Plugin {
  const connectionsByEngine = new ConnectionsByEngine();

  function live<Request extends WithUrn, Answer>(
    answer: (request: Request, connections: Connections) => Promise<Answer>,
  ) {
    return unary((request: Request, call): Promise<Answer> => {
      refuseOtherTypes(request);
      return answer(request, connectionsByEngine.connectionsFor(call.getPeer()));
    });
  }

  function configure(request: ConfigureRequest, peer: string): ConfigureResponse {
    connectionsByEngine.configure(
      peer,
      connectionConfig(fromStruct(request.getArgs()), process.env),
    );
    const answer = new ConfigureResponse();
    answer.setSupportspreview(true);
    answer.setSupportsAutonamingConfiguration(true);
    return answer;
  }

  const implementation = {
    getPluginInfo: unary(() => pluginInfo(version)),
    attach: unary(() => new Empty()),
    // The engine sends this at the end of every run. Calls that are under way go on to their end.
    cancel: unary(() => new Empty()),
    checkConfig: unary(checkProvider),
    diffConfig: unary(diffProvider),
    configure: unary((request: ConfigureRequest, call) => configure(request, call.getPeer())),
    check: unary(pure(check)),
    diff: unary(pure(diff)),
    create: live(create),
    read: live(read),
    update: live(update),
    delete: live(destroy),
  };
  return {
    service: ResourceProviderService,
    implementation: refusingTheRest(ResourceProviderService, implementation, STAND_IN),
    close: () => connectionsByEngine.close(),
  };
}

interface WithUrn {
  getUrn(): string;
}

function pure<Request extends WithUrn, Answer>(answer: (request: Request) => Answer) {
  return (request: Request): Answer => {
    refuseOtherTypes(request);
    return answer(request);
  };
}

function refuseOtherTypes(request: WithUrn): void {
  const type = typeOf(request.getUrn());
  if (type === SCHEMA_TYPE) return;
  throw new Error(`${STAND_IN} serves ${SCHEMA_TYPE} alone; ${type} needs the official plugin.`);
}

function pluginInfo(version: string): PluginInfo {
  const info = new PluginInfo();
  info.setVersion(version);
  return info;
}

function checkProvider(request: CheckRequest): CheckResponse {
  try {
    const { inputs, failures } = checkConfig(
      nameOf(request.getUrn()),
      fromStruct(request.getNews()),
    );
    return checked(failures.length > 0 ? undefined : inputs, failures);
  } catch (error) {
    throw new Error(
      `CheckConfig failed because of malformed resource inputs: ${messageOf(error)}`,
      { cause: error },
    );
  }
}

/** Every change of a provider's configuration is an update; none replaces the provider. */
function diffProvider(request: DiffRequest): DiffResponse {
  const before = fromStruct(request.getOldInputs() ?? request.getOlds());
  const after = fromStruct(request.getNews());
  const { ADD, DELETE, UPDATE } = PropertyDiff.Kind;
  const kinds = new Map<string, PropertyDiff.Kind>();
  for (const key of new Set([...Object.keys(before), ...Object.keys(after)])) {
    if (before[key] === after[key]) continue;
    kinds.set(key, !(key in before) ? ADD : !(key in after) ? DELETE : UPDATE);
  }
  return differing(kinds, true);
}
