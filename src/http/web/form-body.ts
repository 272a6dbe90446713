/** The fields of a form: a small body, soon there. */
import type { Exchange } from '../front/exchange.ts';
import { readSmallBody } from '../front/small-body.ts';

export type FormBody =
  | { readonly ok: true; readonly fields: URLSearchParams }
  | { readonly ok: false; readonly status: 400 | 408 | 413 | 415; readonly detail: string };

const maxBytes = 16_384;
const maxFields = 64;
const bounds = { maxBytes, withinMs: 10_000 };

/** Each field once; what was not read stays unread. */
export async function readForm(exchange: Exchange): Promise<FormBody> {
  const { request, response, expectsContinue } = exchange;
  const { 'content-type': type = '', 'content-encoding': encoding, 'content-length': length } = request.headers;
  if (
    !/^application\/x-www-form-urlencoded\s*(?:;\s*charset="?utf-8"?\s*)?$/i.test(type.trim()) ||
    encoding !== undefined
  )
    return { ok: false, status: 415, detail: 'a form is sent as application/x-www-form-urlencoded' };
  if (Number(length ?? 0) > maxBytes) return tooLarge;
  if (expectsContinue) response.writeContinue();
  const content = await readSmallBody(exchange, bounds);
  if (content === 'too_large') return tooLarge;
  if (content === 'late') return { ok: false, status: 408, detail: 'the form did not arrive in time' };
  const fields = new URLSearchParams(content.toString('utf8'));
  const names = [...fields.keys()];
  if (names.length > maxFields || new Set(names).size < names.length)
    return { ok: false, status: 400, detail: 'the form has a field twice, or too many' };
  return { ok: true, fields };
}

const tooLarge: FormBody = { ok: false, status: 413, detail: `a form has at most ${maxBytes} bytes` };
