import type { Request, RequestHandler, Response } from "express";
import { pipeline } from "node:stream/promises";
import { z } from "zod";
import { ArchiveWriter } from "../../provider/archive/write";
import { rules } from "../../provider/contract/rules";
import type { Export, Exports } from "../tenants/exports";
import { parseInput } from "./body";

/** How long a caller may take nothing of an export before it is ended: it keeps migrations waiting. */
const STALL_MS = 60_000;

/** How often it is looked whether a caller takes something. */
const BETWEEN_LOOKS_MS = 5_000;

/**
 * Handles `GET …/export`: answers with an archive, as fast as the caller takes it. What goes wrong after the first
 * byte closes the connection: an archive that was cut off has no manifest.
 */
export function answerExport(exports: Exports): RequestHandler {
  return async (request, response) => {
    const { id } = parseInput(z.object({ id: rules.id }), request.params);
    const begun = await exports.begin(id);
    const about = {
      tenant: id,
      slug: begun.tenant.slug,
      subject: request.caller?.subject ?? null,
    };
    // From here on whatever goes wrong ends it.
    const close = () => void begun.close();
    response.once("close", close);
    const patience = endWhenStalled(response);
    try {
      setHeaders(response, begun);
      if (request.method === "HEAD") {
        response.end();
        return;
      }
      request.log.info(about, "an export begins");
      const rows = await send(response, begun);
      request.log.info({ ...about, rows }, "the tenant was exported");
    } catch (error) {
      if (!response.headersSent && !response.closed) throw asIfNotBegun(response, error);
      noteFailure(request, response, about, error);
    } finally {
      clearInterval(patience);
      await begun.close();
    }
  };
}

function setHeaders(response: Response, { tenant, takenAt }: Export): void {
  const day = takenAt.toISOString().slice(0, 10);
  response.set({
    "Content-Type": "application/x-tar",
    "Content-Disposition": `attachment; filename="${tenant.slug}-${day}.tar"`,
  });
}

async function send(response: Response, { write, takenAt }: Export): Promise<number> {
  const archive = new ArchiveWriter(takenAt);
  const [rows] = await Promise.all([write(archive), pipeline(archive.stream, response)]);
  return rows;
}

/** Ends the answer of a caller who takes nothing of it for too long. */
function endWhenStalled(response: Response): NodeJS.Timeout {
  let takenBefore = -1;
  let waitedMs = 0;
  return setInterval(() => {
    const taken = response.socket?.bytesWritten ?? 0;
    waitedMs =
      response.writableNeedDrain && taken === takenBefore ? waitedMs + BETWEEN_LOOKS_MS : 0;
    takenBefore = taken;
    if (waitedMs >= STALL_MS) response.destroy();
  }, BETWEEN_LOOKS_MS).unref();
}

function asIfNotBegun(response: Response, error: unknown): unknown {
  for (const name of ["Content-Type", "Content-Disposition"]) response.removeHeader(name);
  return error;
}

function noteFailure(request: Request, response: Response, about: object, error: unknown): void {
  if (response.closed || response.destroyed) {
    request.log.info(about, "the export ended early: the caller hung up");
    return;
  }
  request.log.error({ ...about, err: error }, "the export failed");
  response.destroy();
}
