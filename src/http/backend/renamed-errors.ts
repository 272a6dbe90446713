/** What a registry behind a prefix says: its codes, its words and its warnings, with the clients' names in them. */
import type { OutgoingHttpHeaders } from 'node:http';
import { z } from 'zod';
import { errorBody } from '../../distribution/error-codes.ts';
import { parseJson } from '../../distribution/json.ts';
import { type UpstreamNames, shownName } from '../../distribution/upstreams.ts';
import { type Named, namingRequest } from '../front/named-request.ts';
import type { ReplySink } from './reply.ts';

/** A repository as the registry and as the client calls it. */
export interface BothNames {
  readonly remote: string;
  readonly client: string;
}

/** Seconds. skopeo sleeps as long as it is told to. */
const longestRetry = 60;
const tooMany = 429;

const envelope = z.object({ errors: z.array(z.object({ code: z.string(), message: z.unknown() })).min(1) });

/** `detail` of an error is the registry's own, and stays here. */
export function inClientsWords(sink: ReplySink, upstream: UpstreamNames, names: BothNames): ReplySink {
  const inWords: InWords = (text) => renamer(upstream, names)(text);
  return {
    onFailure: (failure, transfer) => sink.onFailure(failure, transfer),
    onReply(reply, transfer) {
      const { status, content } = reply;
      if (status < 400 && reply.headers['warning'] === undefined) return sink.onReply(reply, transfer);
      const headers = {
        ...reply.headers,
        ...warningsOf(reply.headers, inWords),
        ...(status === tooMany ? retryOf(reply.headers) : {}),
      };
      if (status < 400 || !Buffer.isBuffer(content)) return sink.onReply({ ...reply, headers }, transfer);
      const words = status === tooMany ? limited(upstream, transfer.asked.exchange) : renamed(content, inWords);
      sink.onReply({ ...reply, headers, content: words ?? content }, transfer);
    },
  };
}

type InWords = (text: string) => string;

/**
 * Whole names only: that of the repository, and others below the prefix there. In a longer word, or in another path, the
 * same letters are something else.
 */
function renamer({ prefix, remotePrefix }: UpstreamNames, { remote, client }: BothNames): InWords {
  if (remote === client) return (text) => text;
  const here = `${literal(remote)}(?![\\w-]|\\.\\w|/(?!(?:manifests|blobs|tags|referrers)/))`;
  const below = remotePrefix === '' ? '' : `|${literal(remotePrefix)}/(?=[a-z0-9])`;
  const pattern = new RegExp(`(?<=^|/v2/|[^\\w./-])(?:(${here})${below})`, 'g');
  return (text) =>
    text.replace(pattern, (_found, own?: string) => (own === undefined ? prefix && `${prefix}/` : client));
}

function literal(name: string): string {
  return name.replaceAll('.', '\\.');
}

function warningsOf({ warning }: OutgoingHttpHeaders, inWords: InWords): Readonly<Record<string, string[]>> {
  if (warning === undefined) return {};
  return { warning: [warning].flat().map(inWords) };
}

function limited(upstream: UpstreamNames, named: Named): Buffer {
  const message = `the registry behind "${shownName(upstream)}" limits pulls; try again later`;
  return Buffer.from(namingRequest(errorBody('TOOMANYREQUESTS', message), named));
}

function retryOf({ 'retry-after': given }: OutgoingHttpHeaders): OutgoingHttpHeaders {
  const seconds = typeof given === 'string' && /^\d{1,6}$/.test(given) ? Number(given) : longestRetry;
  return { 'retry-after': String(Math.min(seconds, longestRetry)) };
}

function renamed(content: Buffer, inWords: InWords): Buffer | undefined {
  const said = envelope.safeParse(parseJson(content));
  if (!said.success) return undefined;
  const errors = said.data.errors.map(({ code, message }) => ({
    code,
    message: typeof message === 'string' ? inWords(message) : '',
  }));
  return Buffer.from(JSON.stringify({ errors }));
}
