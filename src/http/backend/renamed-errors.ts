/** What a registry behind a prefix says when it refuses: its code and its words, with the clients' names in them. */
import type { OutgoingHttpHeaders } from 'node:http';
import { z } from 'zod';
import { type ErrorCode, errorBody } from '../../distribution/error-codes.ts';
import { parseJson } from '../../distribution/json.ts';
import { type UpstreamNames, shownName } from '../../distribution/upstreams.ts';
import type { ReplySink } from './reply.ts';

/** A repository as the registry and as the client calls it. */
export interface BothNames {
  readonly remote: string;
  readonly client: string;
}

/** Seconds. skopeo sleeps as long as it is told to. */
const longestRetry = 60;
const tooMany = 429;

const envelope = z.object({ errors: z.array(z.object({ code: z.string(), message: z.string().optional() })).min(1) });

/** `detail` of an error is the registry's own, and stays here. */
export function inClientsWords(sink: ReplySink, upstream: UpstreamNames, names: BothNames): ReplySink {
  return {
    onFailure: (failure, transfer) => sink.onFailure(failure, transfer),
    onReply(reply, transfer) {
      const { status, content } = reply;
      if (status < 400) return sink.onReply(reply, transfer);
      const headers = status === tooMany ? { ...reply.headers, ...retryOf(reply.headers) } : reply.headers;
      if (!Buffer.isBuffer(content)) return sink.onReply({ ...reply, headers }, transfer);
      const words = status === tooMany ? limited(upstream) : renamed(content, names);
      sink.onReply({ ...reply, headers, content: words ?? content }, transfer);
    },
  };
}

function limited(upstream: UpstreamNames): Buffer {
  return Buffer.from(
    errorBody('TOOMANYREQUESTS', `the registry behind "${shownName(upstream)}" limits pulls; try again later`),
  );
}

function retryOf({ 'retry-after': given }: OutgoingHttpHeaders): OutgoingHttpHeaders {
  const seconds = typeof given === 'string' && /^\d{1,6}$/.test(given) ? Number(given) : longestRetry;
  return { 'retry-after': String(Math.min(seconds, longestRetry)) };
}

function renamed(content: Buffer, { remote, client }: BothNames): Buffer | undefined {
  const said = envelope.safeParse(parseJson(content));
  if (!said.success) return undefined;
  const [{ code, message = '' } = { code: 'UNKNOWN' }] = said.data.errors;
  return Buffer.from(errorBody(code as ErrorCode, message.replaceAll(remote, client)));
}
