/** Keys of token issuers, from https addresses and files: bounded in size, time and in where they come from. */
import { type RequestOptions, request } from 'node:https';
import type { DocumentReading, IssuerDocuments } from '../../ports.ts';
import { readBounded } from '../files/bounded-file.ts';
import { wordsOf } from '../failure.ts';

const maxBytes = 65_536;
/** For one document with all its redirects. */
const limitMs = 3000;
const maxRedirects = 3;

type Answer = DocumentReading | { readonly location: string };

/** `withinMs`: for one document, from the first connection to the last byte. */
export function createIssuerDocuments(withinMs = limitMs): IssuerDocuments {
  return {
    async get(url, ca) {
      try {
        const certificates = ca === undefined ? undefined : await readBounded(ca, maxBytes);
        if (certificates?.ok === false) return certificates;
        return await getFrom(new URL(url), certificates?.text, AbortSignal.timeout(withinMs));
      } catch (error) {
        return failed(url, reasonOf(error));
      }
    },
    read: (path) => readBounded(path, maxBytes),
  };
}

const tooLarge = `is larger than ${maxBytes / 1024} KiB`;

async function getFrom(first: URL, ca: string | undefined, signal: AbortSignal): Promise<DocumentReading> {
  let url = first;
  for (let redirects = 0; redirects <= maxRedirects; redirects++) {
    if (url.protocol !== 'https:') return failed(first.href, 'is not https');
    const answer = await ask(url, { ca, signal });
    if (!('location' in answer)) return answer;
    if (!URL.canParse(answer.location, url.href)) return failed(first.href, 'redirects to what is no address');
    url = new URL(answer.location, url);
    // Elsewhere somebody else may answer for the issuer.
    if (url.origin !== first.origin) return failed(first.href, `redirects to ${url.origin}`);
  }
  return failed(first.href, 'redirects too often');
}

/** Rejects when there is no whole answer, in time and by whom it should be. */
function ask(url: URL, options: RequestOptions): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const headers = { Accept: 'application/json', 'Accept-Encoding': 'identity', 'User-Agent': 'portcullis' };
    // No connection is kept: there is one request in ten minutes.
    const asked = request(url, { ...options, agent: false, headers, maxHeaderSize: 16_384 });
    const end = (answer: Answer): void => {
      resolve(answer);
      asked.destroy();
    };
    asked.on('error', reject);
    asked.on('response', (response) => {
      const { statusCode = 0 } = response;
      const { location } = response.headers;
      if (statusCode >= 300 && statusCode < 400 && location !== undefined) return end({ location });
      if (statusCode !== 200) return end(failed(url.href, `answers with status ${statusCode}`));
      const chunks: Buffer[] = [];
      let size = 0;
      response.on('data', (chunk: Buffer) => {
        size += chunk.length;
        if (size > maxBytes) end(failed(url.href, tooLarge));
        else chunks.push(chunk);
      });
      response.on('error', reject);
      response.on('end', () => resolve({ ok: true, text: Buffer.concat(chunks).toString('utf8') }));
    });
    asked.end();
  });
}

function reasonOf(error: unknown): string {
  if (error instanceof Error && error.name === 'TimeoutError') return 'does not answer in time';
  if (error instanceof Error && error.cause instanceof Error && error.cause.name === 'TimeoutError')
    return 'does not answer in time';
  const isCertificate = error instanceof Error && 'code' in error && /CERT|SIGNATURE|ISSUER/.test(String(error.code));
  const cure = isCertificate ? '; name its authority with `ca`' : '';
  return `cannot be asked: ${wordsOf(error)}${cure}`;
}

function failed(what: string, why: string): DocumentReading {
  return { ok: false, detail: `${what} ${why}` };
}
