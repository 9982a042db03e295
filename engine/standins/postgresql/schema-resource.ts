import {
  CreateResponse,
  PropertyDiff,
  ReadResponse,
  UpdateResponse,
  type CheckRequest,
  type CheckResponse,
  type CreateRequest,
  type DeleteRequest,
  type DiffRequest,
  type DiffResponse,
  type ReadRequest,
  type UpdateRequest,
} from "@pulumi/pulumi/proto/provider_pb";
import { Empty } from "google-protobuf/google/protobuf/empty_pb";
import { messageOf } from "../rpc";
import type { Connections } from "./connections";
import { checked, differing, nameOf } from "./messages";
import { fromStruct, toStruct } from "./properties";
import { createSchema, dropSchema, readSchema, updateSchema } from "./schema-database";
import { diffSchema, REPLACING } from "./schema-diff";
import { checkSchema, schemaOf } from "./schema-inputs";
import {
  foundState,
  idOf,
  importedInputs,
  parseId,
  plannedState,
  refreshedInputs,
  stateOf,
} from "./schema-state";

/** Check: the inputs with defaults filled in, and every problem with them. */
export function check(request: CheckRequest): CheckResponse {
  const { inputs, failures } = checkSchema(nameOf(request.getUrn()), fromStruct(request.getNews()));
  return checked(inputs, failures);
}

/** Diff: every change is an update in place, except that of the database, which replaces the schema. */
export function diff(request: DiffRequest): DiffResponse {
  const state = fromStruct(request.getOlds());
  const news = fromStruct(request.getNews());
  const found = diffSchema(state, news, request.getIgnorechangesList());
  const { UPDATE, UPDATE_REPLACE } = PropertyDiff.Kind;
  const kinds = found.changed.map(
    (key) => [key, found.replacing.includes(key) ? UPDATE_REPLACE : UPDATE] as const,
  );
  const answer = differing(new Map(kinds), false);
  answer.setReplacesList([...found.replacing]);
  answer.setStablesList(REPLACING.filter((key) => !found.replacing.includes(key)));
  answer.setDeletebeforereplace(found.deleteFirst);
  answer.setHasdetaileddiff(true);
  return answer;
}

/** Create: makes the schema or takes it over; a preview asks no database. */
export async function create(
  request: CreateRequest,
  connections: Connections,
): Promise<CreateResponse> {
  const inputs = fromStruct(request.getProperties());
  const answer = new CreateResponse();
  if (request.getPreview()) {
    answer.setProperties(toStruct(plannedState(inputs)));
    return answer;
  }
  const live = await failing("", () => createSchema(connections, schemaOf(inputs)));
  if (live === undefined) throw new Error(`${request.getUrn()} was gone as soon as it was made`);
  answer.setId(idOf(live));
  answer.setProperties(toStruct(stateOf(live, inputs)));
  return answer;
}

/** Read: the schema as it is now, for a refresh or an import; no id when it is gone. */
export async function read(request: ReadRequest, connections: Connections): Promise<ReadResponse> {
  const older = fromStruct(request.getProperties());
  const answer = new ReadResponse();
  const isImport = older.name === undefined;
  const live = await failing(`refreshing ${request.getUrn()}`, () =>
    readSchema(connections, isImport ? parseId(request.getId()) : schemaOf(older)),
  );
  if (live === undefined) return answer;
  const state = foundState(live, older);
  const inputs = isImport
    ? importedInputs(live)
    : refreshedInputs(state, fromStruct(request.getInputs()));
  answer.setId(idOf(live));
  answer.setProperties(toStruct(state));
  answer.setInputs(toStruct(inputs));
  return answer;
}

/** Update: renames the schema or changes its owner; a preview asks no database. */
export async function update(
  request: UpdateRequest,
  connections: Connections,
): Promise<UpdateResponse> {
  const older = fromStruct(request.getOlds());
  const inputs = fromStruct(request.getNews());
  const answer = new UpdateResponse();
  if (request.getPreview()) {
    answer.setProperties(toStruct(plannedState(inputs, older)));
    return answer;
  }
  const urn = request.getUrn();
  const live = await failing(`updating ${urn}`, () =>
    updateSchema(connections, schemaOf(older), schemaOf(inputs)),
  );
  if (live === undefined) {
    throw new Error(
      `Resource provider reported that the resource did not exist while updating ${urn}`,
    );
  }
  answer.setProperties(toStruct(stateOf(live, inputs, older)));
  return answer;
}

/** Delete: drops the schema. It fails when the schema is not empty, unless the state says `dropCascade`. */
export async function destroy(request: DeleteRequest, connections: Connections): Promise<Empty> {
  const state = schemaOf(fromStruct(request.getProperties()));
  await failing(`deleting ${request.getUrn()}`, () => dropSchema(connections, state));
  return new Empty();
}

/** Does the work; an error gets the form that the official plugin's Terraform core gives it. */
async function failing<T>(doing: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const report = `1 error occurred:\n\t* ${messageOf(error)}\n\n`;
    throw new Error(doing === "" ? report : `${doing}: ${report}`, { cause: error });
  }
}
