import { credentials, type ServiceError } from "@grpc/grpc-js";
import { PluginAttach } from "@pulumi/pulumi/proto/plugin_pb";
import { ResourceProviderClient } from "@pulumi/pulumi/proto/provider_grpc_pb";
import {
  CheckRequest,
  ConfigureRequest,
  CreateRequest,
  DeleteRequest,
  DiffRequest,
  InvokeRequest,
  ReadRequest,
  UpdateRequest,
  type CheckResponse,
  type ConfigureResponse,
  type CreateResponse,
  type DiffResponse,
  type InvokeResponse,
  type ReadResponse,
  type UpdateResponse,
} from "@pulumi/pulumi/proto/provider_pb";
import type { Empty } from "google-protobuf/google/protobuf/empty_pb";
import { Struct } from "google-protobuf/google/protobuf/struct_pb";
import type { Properties } from "../../../engine/standins/postgresql/properties";

/** What a plugin answers, in the form of the recording: what is empty or false is left out. */
export type Answer = Record<string, unknown>;

const PROVIDER_URN = "urn:pulumi:dev::p::pulumi:providers:postgresql::pg";
const SCHEMA_URN = "urn:pulumi:dev::p::postgresql:index/schema:Schema::s";

/** Speaks to a resource plugin as the engine does. */
export class ProviderClient {
  private readonly client: ResourceProviderClient;

  constructor(address: string) {
    // gRPC would share one connection between clients, and an engine never shares its own.
    this.client = new ResourceProviderClient(address, credentials.createInsecure(), {
      "grpc.use_local_subchannel_pool": 1,
    });
  }

  close(): void {
    this.client.close();
  }

  attach(): Promise<Answer> {
    const request = new PluginAttach();
    request.setAddress("127.0.0.1:1");
    return answered<Empty>(
      (done) => this.client.attach(request, done),
      () => ({}),
    );
  }

  invoke(): Promise<Answer> {
    return answered<InvokeResponse>(
      (done) => this.client.invoke(new InvokeRequest(), done),
      () => ({}),
    );
  }

  checkConfig(news: Properties): Promise<Answer> {
    const request = new CheckRequest();
    request.setUrn(PROVIDER_URN);
    request.setNews(Struct.fromJavaScript(news));
    return answered<CheckResponse>((done) => this.client.checkConfig(request, done), checked);
  }

  diffConfig(olds: Properties, news: Properties): Promise<Answer> {
    const request = new DiffRequest();
    request.setUrn(PROVIDER_URN);
    request.setOldInputs(Struct.fromJavaScript(olds));
    request.setOlds(Struct.fromJavaScript(olds));
    request.setNews(Struct.fromJavaScript(news));
    return answered<DiffResponse>((done) => this.client.diffConfig(request, done), differing);
  }

  configure(args: Properties): Promise<Answer> {
    const request = new ConfigureRequest();
    request.setArgs(Struct.fromJavaScript(args));
    return answered<ConfigureResponse>(
      (done) => this.client.configure(request, done),
      (answer) => answer.toObject(),
    );
  }

  check(news: Properties, urn = SCHEMA_URN): Promise<Answer> {
    const request = new CheckRequest();
    request.setUrn(urn);
    request.setNews(Struct.fromJavaScript(news));
    return answered<CheckResponse>((done) => this.client.check(request, done), checked);
  }

  diff(olds: Properties, news: Properties, ignored: string[] = []): Promise<Answer> {
    const request = new DiffRequest();
    request.setUrn(SCHEMA_URN);
    request.setOlds(Struct.fromJavaScript(olds));
    request.setNews(Struct.fromJavaScript(news));
    request.setIgnorechangesList(ignored);
    return answered<DiffResponse>((done) => this.client.diff(request, done), differing);
  }

  create(properties: Properties, preview = false): Promise<Answer> {
    const request = new CreateRequest();
    request.setUrn(SCHEMA_URN);
    request.setProperties(Struct.fromJavaScript(properties));
    request.setPreview(preview);
    return answered<CreateResponse>(
      (done) => this.client.create(request, done),
      (answer) => ({ id: answer.getId(), properties: answer.getProperties()?.toJavaScript() }),
    );
  }

  read(id: string, state: Properties, inputs: Properties): Promise<Answer> {
    const request = new ReadRequest();
    request.setUrn(SCHEMA_URN);
    request.setId(id);
    request.setProperties(Struct.fromJavaScript(state));
    request.setInputs(Struct.fromJavaScript(inputs));
    return answered<ReadResponse>(
      (done) => this.client.read(request, done),
      (answer) => ({
        id: answer.getId(),
        properties: answer.getProperties()?.toJavaScript(),
        inputs: answer.getInputs()?.toJavaScript(),
      }),
    );
  }

  update(id: string, olds: Properties, news: Properties, preview = false): Promise<Answer> {
    const request = new UpdateRequest();
    request.setUrn(SCHEMA_URN);
    request.setId(id);
    request.setOlds(Struct.fromJavaScript(olds));
    request.setNews(Struct.fromJavaScript(news));
    request.setPreview(preview);
    return answered<UpdateResponse>(
      (done) => this.client.update(request, done),
      (answer) => ({ properties: answer.getProperties()?.toJavaScript() }),
    );
  }

  delete(id: string, state: Properties): Promise<Answer> {
    const request = new DeleteRequest();
    request.setUrn(SCHEMA_URN);
    request.setId(id);
    request.setProperties(Struct.fromJavaScript(state));
    return answered<Empty>(
      (done) => this.client.delete(request, done),
      () => ({}),
    );
  }
}

function answered<Response>(
  send: (done: (error: ServiceError | null, answer: Response) => void) => unknown,
  read: (answer: Response) => object,
): Promise<Answer> {
  return new Promise((resolve) => {
    send((error, answer) =>
      resolve(
        error
          ? { error: { code: CODES[error.code] ?? error.code, message: error.details } }
          : withoutEmpty(read(answer)),
      ),
    );
  });
}

const CODES: Readonly<Record<number, string>> = { 2: "UNKNOWN", 12: "UNIMPLEMENTED" };

function checked(answer: CheckResponse): object {
  return {
    inputs: answer.getInputs()?.toJavaScript(),
    failures: answer.getFailuresList().map((failure) => failure.toObject()),
  };
}

function differing(answer: DiffResponse): object {
  const detaileddiff: Record<string, object> = {};
  answer.getDetaileddiffMap().forEach((found, key) => (detaileddiff[key] = found.toObject()));
  return {
    changes: answer.getChanges(),
    diffs: answer.getDiffsList(),
    replaces: answer.getReplacesList(),
    stables: answer.getStablesList(),
    deletebeforereplace: answer.getDeletebeforereplace(),
    hasdetaileddiff: answer.getHasdetaileddiff(),
    detaileddiff,
  };
}

function withoutEmpty(answer: object): Answer {
  return Object.fromEntries(
    Object.entries(answer).filter(([, value]: [string, unknown]) => {
      if (!value) return false;
      return typeof value !== "object" || Object.keys(value).length > 0;
    }),
  );
}
