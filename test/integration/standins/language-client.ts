import { credentials, type ServiceError } from "@grpc/grpc-js";
import { LanguageRuntimeClient } from "@pulumi/pulumi/proto/language_grpc_pb";
import {
  AboutRequest,
  GetProgramDependenciesRequest,
  GetRequiredPackagesRequest,
  InstallDependenciesRequest,
  PackRequest,
  ProgramInfo,
  type AboutResponse,
  type GetProgramDependenciesResponse,
  type GetRequiredPackagesResponse,
  type PackResponse,
  type RunRequest,
  type RunResponse,
} from "@pulumi/pulumi/proto/language_pb";
import { Empty } from "google-protobuf/google/protobuf/empty_pb";
import { Struct } from "google-protobuf/google/protobuf/struct_pb";

/** Speaks to a language host as the engine does. */
export class LanguageClient {
  private readonly client: LanguageRuntimeClient;

  constructor(address: string) {
    this.client = new LanguageRuntimeClient(address, credentials.createInsecure());
  }

  close(): void {
    this.client.close();
  }

  run(request: RunRequest): Promise<RunResponse> {
    return call((done) => this.client.run(request, done));
  }

  cancel(): Promise<Empty> {
    return call((done) => this.client.cancel(new Empty(), done));
  }

  about(): Promise<AboutResponse> {
    return call((done) => this.client.about(new AboutRequest(), done));
  }

  pack(): Promise<PackResponse> {
    return call((done) => this.client.pack(new PackRequest(), done));
  }

  /** The plugins that the program of the directory needs, as "name version". */
  async requiredPlugins(directory: string): Promise<string[]> {
    const request = new GetRequiredPackagesRequest();
    request.setInfo(programInfo(directory));
    const response = await call<GetRequiredPackagesResponse>((done) =>
      this.client.getRequiredPackages(request, done),
    );
    return response.getPackagesList().map((found) => `${found.getName()} ${found.getVersion()}`);
  }

  /** The names of the packages that the program of the directory depends on. */
  async dependencies(directory: string, transitive: boolean): Promise<string[]> {
    const request = new GetProgramDependenciesRequest();
    request.setInfo(programInfo(directory));
    request.setTransitivedependencies(transitive);
    const response = await call<GetProgramDependenciesResponse>((done) =>
      this.client.getProgramDependencies(request, done),
    );
    return response.getDependenciesList().map((found) => found.getName());
  }

  /** Resolves when all is installed. */
  install(directory: string, packagemanager: string): Promise<void> {
    const request = new InstallDependenciesRequest();
    request.setInfo(programInfo(directory, { packagemanager }));
    return new Promise((resolve, reject) => {
      this.client.installDependencies(request).on("error", reject).on("end", resolve).resume();
    });
  }
}

/** A program that is the directory's own package. */
export function programInfo(directory: string, options: Record<string, string> = {}): ProgramInfo {
  const info = new ProgramInfo();
  info.setRootDirectory(directory);
  info.setProgramDirectory(directory);
  info.setEntryPoint(".");
  info.setOptions(Struct.fromJavaScript(options));
  return info;
}

function call<Response>(
  send: (done: (error: ServiceError | null, response: Response) => void) => unknown,
): Promise<Response> {
  return new Promise((resolve, reject) => {
    send((error, response) => {
      if (error) reject(error);
      else resolve(response);
    });
  });
}
