/** A page as an answer: HTML, compressed where the browser takes it. */
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { VNode } from 'preact';
import { renderToString } from 'preact-render-to-string';
import type { Exchange } from '../front/exchange.ts';
import { type WholeAnswer, send } from '../front/respond.ts';
import { pageHeaders } from './headers.ts';

export interface Drawn {
  readonly status: number;
  readonly view: VNode;
  /** Beside those of every page. */
  readonly headers?: WholeAnswer['headers'];
}

const zip = promisify(gzip);

/** Whether the browser takes gzip. */
export function takesGzip({ request }: Exchange): boolean {
  const accepted = request.headers['accept-encoding'] ?? '';
  const offer = /(?:^|,)\s*gzip\s*(?:;\s*q=([\d.]+)\s*)?(?:,|$)/i.exec(String(accepted));
  return offer !== null && Number(offer[1] ?? 1) > 0;
}

/** Sends it; returns its status. */
export async function draw(
  exchange: Exchange,
  { status, view, headers = {} }: Drawn,
  endsTls: boolean,
): Promise<number> {
  const text = `<!doctype html>\n${renderToString(view)}`;
  const common = { ...pageHeaders(endsTls), ...headers };
  if (!takesGzip(exchange)) return send(exchange, { status, headers: common, body: text });
  return send(exchange, { status, headers: { ...common, 'Content-Encoding': 'gzip' }, body: await zip(text) });
}

/** To another page of ours, which is fetched by GET. */
export function sendTo(
  exchange: Exchange,
  to: string,
  endsTls: boolean,
  headers: NonNullable<WholeAnswer['headers']> = {},
): number {
  return send(exchange, { status: 303, headers: { ...pageHeaders(endsTls), ...headers, Location: to }, body: '' });
}
