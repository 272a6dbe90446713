/** `fetch` as openid-client uses it, with an authority of its own, and bounded: no redirect is followed, no answer is long. */
import { type IncomingMessage, type RequestOptions, request as requestPlain } from 'node:http';
import { request as requestTls } from 'node:https';
import type { CustomFetch } from 'openid-client';
import { wordsOf } from '../failure.ts';
import { readBounded } from '../files/bounded-file.ts';
import { isLoopback } from '../../network/host.ts';

const maxBytes = 262_144;
const maxCertificateBytes = 65_536;

/** There is no answer that could be judged. A TypeError: openid-client passes it on as it is. */
export class NoAnswer extends TypeError {}

/** `ca`: file of the authorities that certificates must come from. http is for this machine only. */
export function createBoundedFetch(ca: string | undefined): CustomFetch {
  return async (address, { method, headers, body, signal }) => {
    const url = new URL(address);
    if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isLoopback(url.hostname)))
      throw new NoAnswer(`${url.origin} is not https`);
    const authorities = ca === undefined ? undefined : await readBounded(ca, maxCertificateBytes);
    if (authorities?.ok === false) throw new NoAnswer(authorities.detail);
    const options = {
      method,
      headers: { ...headers, 'accept-encoding': 'identity', 'user-agent': 'portcullis' },
      // There are few requests: no connection is kept.
      agent: false as const,
      maxHeaderSize: 16_384,
      ...(authorities === undefined ? {} : { ca: authorities.text }),
      ...(signal === undefined ? {} : { signal }),
    };
    const text = body === undefined || body === null ? '' : textOf(body);
    try {
      return await ask(url, options, text);
    } catch (error) {
      throw error instanceof NoAnswer ? error : new NoAnswer(`${url.host} ${reasonOf(error)}`);
    }
  };
}

/** The library sends forms. */
function textOf(body: NonNullable<Parameters<CustomFetch>[1]['body']>): string {
  if (typeof body === 'string') return body;
  if (body instanceof URLSearchParams) return body.toString();
  throw new NoAnswer('a body of this kind is not sent');
}

function ask(url: URL, options: RequestOptions, body: string): Promise<Response> {
  return new Promise((resolve, reject) => {
    const asked = (url.protocol === 'https:' ? requestTls : requestPlain)(url, options);
    asked.on('error', reject);
    asked.on('response', (response) => {
      read(url, response).then(resolve, (error: unknown) => {
        reject(error instanceof Error ? error : new Error(String(error)));
        asked.destroy();
      });
    });
    asked.end(body);
  });
}

async function read(url: URL, response: IncomingMessage): Promise<Response> {
  const { statusCode: status = 0, headers } = response;
  // Whoever answers elsewhere may be somebody else.
  if (status >= 300 && status < 400) throw new NoAnswer(`${url.host} redirects, which is not followed`);
  // With the others a provider says what is wrong with the question (RFC 6749, section 5.2; RFC 6750, section 3.1).
  if (![200, 400, 401, 403].includes(status)) throw new NoAnswer(`${url.host} answers with status ${status}`);
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxBytes) throw new NoAnswer(`${url.host} answers with more than ${maxBytes / 1024} KiB`);
    chunks.push(chunk);
  }
  const kept = Object.entries(headers).flatMap(([name, value]): [string, string][] =>
    typeof value === 'string' ? [[name, value]] : [],
  );
  return new Response(Buffer.concat(chunks), { status, headers: kept });
}

function reasonOf(error: unknown): string {
  if (error instanceof Error && (error.name === 'TimeoutError' || error.name === 'AbortError'))
    return 'does not answer in time';
  const isCertificate = error instanceof Error && 'code' in error && /CERT|SIGNATURE|ISSUER/.test(String(error.code));
  return `cannot be asked: ${wordsOf(error)}${isCertificate ? '; name the authority of its certificate with `ca`' : ''}`;
}
