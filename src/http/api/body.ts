/** The JSON body of a request to the API: small, soon there, and read only when it is known who sends it. */
import { parseJson } from '../../distribution/json.ts';
import { isJsonObject, parsePlainObject } from '../../distribution/plain-json.ts';
import type { Exchange } from '../front/exchange.ts';
import { readSmallBody } from '../front/small-body.ts';
import type { Answer } from '../front/respond.ts';
import { problem } from './problems.ts';

export type JsonBody = { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly answer: Answer };

const maxBytes = 16_384;
const bounds = { maxBytes, withinMs: 10_000 };
const utf8 = new TextDecoder('utf-8', { fatal: true });
const close = { Connection: 'close' };

/** Whether the body is said to be JSON in UTF-8, not compressed. */
export function isJsonType({ headers }: Exchange['request']): boolean {
  const { 'content-type': type = '', 'content-encoding': encoding } = headers;
  return /^application\/json\s*(?:;\s*charset="?utf-8"?\s*)?$/i.test(type.trim()) && encoding === undefined;
}

/** A value, or the answer that says why there is none. The connection ends with what was not read. */
export async function readJsonBody(exchange: Exchange): Promise<JsonBody> {
  const { request, response, expectsContinue } = exchange;
  if (!isJsonType(request))
    return refuse('type-unsupported', 'send JSON as application/json, in UTF-8 and not compressed');
  if (Number(request.headers['content-length'] ?? 0) > maxBytes) return tooLarge;
  if (expectsContinue) response.writeContinue();
  const content = await readSmallBody(exchange, bounds);
  if (content === 'too_large') return tooLarge;
  if (content === 'late') return refuse('body-late', 'the body did not arrive in time');
  if (content.length === 0) return refuse('request-invalid', 'the request has no body');
  const text = decode(content);
  const value = text === undefined ? undefined : parseJson(text);
  if (value === undefined) return refuse('request-invalid', 'the body is no JSON in UTF-8');
  // Whoever else reads it may take the first of two.
  if (isJsonObject(value) && parsePlainObject(content) === undefined)
    return refuse('request-invalid', 'the body names something twice');
  return { ok: true, value };
}

function decode(content: Buffer): string | undefined {
  try {
    return utf8.decode(content);
  } catch {
    return undefined;
  }
}

function refuse(...[type, detail]: Parameters<typeof problem>): Extract<JsonBody, { ok: false }> {
  const headers = type === 'request-invalid' ? {} : close;
  return { ok: false, answer: problem(type, detail, { headers }) };
}

const tooLarge: Extract<JsonBody, { ok: false }> = {
  ok: false,
  answer: problem('body-too-large', `a body has at most ${maxBytes} bytes`, { headers: close }),
};
