/** What a request to the API sends: names in the query, or a JSON object. */
import { isJsonObject } from '../../distribution/plain-json.ts';
import type { Exchange } from '../front/exchange.ts';
import type { Answer } from '../front/respond.ts';
import { isJsonType, readJsonBody } from './body.ts';
import { problem } from './problems.ts';

export type Given =
  | { readonly ok: true; readonly value: Readonly<Record<string, unknown>> }
  | { readonly ok: false; readonly answer: Answer };

/** Of a GET and a DELETE the query, of a POST the body, which may be left out; `id` from the path. */
export async function readGiven(
  exchange: Exchange,
  method: 'GET' | 'POST' | 'DELETE',
  { id, isByCookie }: { readonly id: string | undefined; readonly isByCookie: boolean },
): Promise<Given> {
  const { target, request } = exchange;
  const mark = target.indexOf('?');
  // A form of another site cannot send this type.
  if (isByCookie && method !== 'GET' && !isJsonType(request))
    return { ok: false, answer: problem('type-unsupported', 'send application/json') };
  if (method !== 'POST') return readQuery(mark === -1 ? '' : target.slice(mark + 1), id);
  if (mark !== -1) return refuse('this takes no parameters in its address; send JSON');
  const { 'content-length': length = '0', 'transfer-encoding': encoding } = request.headers;
  if (encoding === undefined && Number(length) === 0) return { ok: true, value: withId({}, id) };
  const body = await readJsonBody(exchange);
  if (!body.ok) return body;
  return isJsonObject(body.value) ? { ok: true, value: withId(body.value, id) } : refuse('the body is no JSON object');
}

function readQuery(text: string, id: string | undefined): Given {
  const search = new URLSearchParams(text);
  const names = [...search.keys(), ...(id === undefined ? [] : ['id'])];
  if (new Set(names).size < names.length) return refuse('a parameter is given twice');
  return { ok: true, value: withId(Object.fromEntries(search), id) };
}

function withId(value: Readonly<Record<string, unknown>>, id: string | undefined): Readonly<Record<string, unknown>> {
  return id === undefined ? value : { ...value, id };
}

function refuse(detail: string): Given {
  return { ok: false, answer: problem('request-invalid', detail) };
}
