import { status, type ServerWritableStream } from "@grpc/grpc-js";
import { LanguageRuntimeService } from "@pulumi/pulumi/proto/language_grpc_pb";
import {
  AboutResponse,
  DependencyInfo,
  GetProgramDependenciesResponse,
  GetRequiredPackagesResponse,
  LanguageHandshakeResponse,
  RunResponse,
  RuntimeOptionsResponse,
  TemplateResponse,
  type GetProgramDependenciesRequest,
  type GetRequiredPackagesRequest,
  type InstallDependenciesRequest,
  type InstallDependenciesResponse,
  type LanguageHandshakeRequest,
  type RunRequest,
} from "@pulumi/pulumi/proto/language_pb";
import { PluginInfo } from "@pulumi/pulumi/proto/plugin_pb";
import { Empty } from "google-protobuf/google/protobuf/empty_pb";
import { messageOf, refusingTheRest, unary } from "../rpc";
import type { Plugin } from "../serve";
import { RunningPrograms } from "./running-programs";
import { programCommand, type EngineLink } from "./command";
import { installDependencies } from "./install";
import { directDependencies, installedPackages } from "./packages";
import { requiredPlugins } from "./packages";

/**
 * A stand-in for `pulumi-language-nodejs`, for networks where that cannot be downloaded. It runs
 * programs; it generates no code, packs nothing and runs no plugins.
 *
 * @param link the engine that started it. An engine that attaches instead gives its address in its
 * handshake.
 * @param version of the npm package @pulumi/pulumi.
 */
export function nodeLanguageHost(link: EngineLink, version: string): Plugin {
  const programs = new RunningPrograms();
  let engine = link;
  const implementation = {
    handshake: unary((request: LanguageHandshakeRequest) => {
      engine = { ...engine, address: request.getEngineAddress() };
      return new LanguageHandshakeResponse();
    }),
    getPluginInfo: unary(() => pluginInfo(version)),
    getRequiredPackages: unary(getRequiredPackages),
    run: unary(async (request: RunRequest, call): Promise<RunResponse> => {
      try {
        return await programs.run(programCommand(request, engine), (cancel) =>
          call.on("cancelled", cancel),
        );
      } catch (error) {
        const response = new RunResponse();
        response.setError(messageOf(error));
        return response;
      }
    }),
    cancel: unary(async () => {
      await programs.close();
      return new Empty();
    }),
    about: unary(about),
    getProgramDependencies: unary(getProgramDependencies),
    runtimeOptionsPrompts: unary(() => new RuntimeOptionsResponse()),
    template: unary(() => new TemplateResponse()),
    installDependencies: (
      call: ServerWritableStream<InstallDependenciesRequest, InstallDependenciesResponse>,
    ) =>
      void installDependencies(call).then(
        () => call.end(),
        (error: unknown) => call.emit("error", { code: status.UNKNOWN, details: messageOf(error) }),
      ),
  };
  return {
    service: LanguageRuntimeService,
    implementation: refusingTheRest(
      LanguageRuntimeService,
      implementation,
      "The stand-in for the Node language host",
    ),
    close: () => programs.close(),
  };
}

function pluginInfo(version: string): PluginInfo {
  const info = new PluginInfo();
  info.setVersion(version);
  return info;
}

function getRequiredPackages(request: GetRequiredPackagesRequest): GetRequiredPackagesResponse {
  const response = new GetRequiredPackagesResponse();
  const directory = request.getInfo()?.getProgramDirectory() ?? process.cwd();
  response.setPackagesList(requiredPlugins(installedPackages(directory)));
  return response;
}

function about(): AboutResponse {
  const response = new AboutResponse();
  response.setExecutable(process.execPath);
  response.setVersion(process.version);
  response.getMetadataMap().set("language host", "stand-in");
  return response;
}

function getProgramDependencies(
  request: GetProgramDependenciesRequest,
): GetProgramDependenciesResponse {
  const directory = request.getInfo()?.getProgramDirectory() ?? request.getPwd();
  const packages = request.getTransitivedependencies()
    ? installedPackages(directory)
    : directDependencies(directory);
  const response = new GetProgramDependenciesResponse();
  for (const { name, version } of packages) {
    const dependency = new DependencyInfo();
    dependency.setName(name);
    dependency.setVersion(version);
    response.addDependencies(dependency);
  }
  return response;
}
