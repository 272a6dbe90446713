/** Requests of `doctor`, each bounded in size and time, and looks at what a server shows of TLS. No connection outlives its answer. */
import { lookup } from 'node:dns/promises';
import { type ClientRequest, type IncomingHttpHeaders, type IncomingMessage, request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { type ConnectionOptions, connect as connectTls, rootCertificates } from 'node:tls';
import type { Asking, CertificateFacts, Failure, Poured, Pouring, Web, WebAnswer } from '../../ports/doctor.ts';
import { wordsOf } from '../failure.ts';

const usualMs = 3000;
const pourMs = 8000;
const maxBody = 1_048_576;
const chunk = Buffer.alloc(65_536);
/** How long an answer is waited for before the rest of a body is sent. */
const earlyMs = 1000;

/** Everything ends when `signal` does. */
export function createWeb(signal: AbortSignal): Web {
  return {
    ask: (url, asking = {}) => ask(url, asking, signal),
    pour: (url, pouring) => pour(url, pouring, signal),
    async resolve(host) {
      const late = new Promise<Failure>((resolve) => {
        setTimeout(resolve, usualMs, { failed: 'the name servers do not answer' }).unref();
      });
      return Promise.race([lookup(host, { all: true }).then(addressesOf, failureOf), late]);
    },
    certificate: (url) => certificate(new URL(url), signal),
  };
}

function addressesOf(found: readonly { readonly address: string }[]): readonly string[] {
  return found.map(({ address }) => address);
}

function failureOf(error: unknown): Failure {
  return { failed: wordsOf(error) };
}

type Sending = Pick<Asking, 'method' | 'believesAnybody' | 'ca' | 'from'> & {
  readonly headers: Readonly<Record<string, string>>;
};

function open(
  url: URL,
  { method = 'GET', headers, believesAnybody = false, ca, from }: Sending,
  signal: AbortSignal,
): ClientRequest {
  const options = { method, headers, agent: false, signal, ...(from === undefined ? {} : { localAddress: from }) };
  if (url.protocol !== 'https:') return httpRequest(url, options);
  return httpsRequest(url, {
    ...options,
    rejectUnauthorized: !believesAnybody,
    ...(ca === undefined ? {} : { ca: [...rootCertificates, ca] }),
  });
}

/** The answer as far as it is read; a failure after `withinMs`. */
function answerOf(request: ClientRequest, withinMs: number): Promise<WebAnswer | Failure> {
  return new Promise((resolve) => {
    const late = { failed: `no answer within ${withinMs / 1000} s` };
    const timer = setTimeout(() => settle(late), withinMs);
    const settle = (answer: WebAnswer | Failure): void => {
      clearTimeout(timer);
      resolve(answer);
      request.destroy();
    };
    request.on('error', (error) => settle(failureOf(error)));
    request.on('close', () => settle({ failed: 'the connection was closed without an answer' }));
    request.on('upgrade', (_response, socket) => socket.destroy());
    request.on('response', (response) => void read(response).then(settle));
  });
}

async function read(response: IncomingMessage): Promise<WebAnswer> {
  const localAddress = plain(response.socket.localAddress);
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const each of response) {
      const bytes = each as Buffer;
      chunks.push(bytes);
      if ((size += bytes.length) > maxBody) break;
    }
  } catch {
    // What came so far is the answer: its head matters most.
  }
  const body = Buffer.concat(chunks).toString('utf8', 0, maxBody);
  return { status: response.statusCode ?? 0, headers: textsOf(response.headers), body, localAddress };
}

/** IPv4 mapped into IPv6 as IPv4. */
function plain(address: string | undefined): string | undefined {
  return address?.replace(/^::ffff:(?=\d+\.)/, '');
}

function textsOf(headers: IncomingHttpHeaders): WebAnswer['headers'] {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, value?.toString()]));
}

function ask(url: string, { body, headers = {}, withinMs = usualMs, ...rest }: Asking, signal: AbortSignal) {
  const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) };
  try {
    const request = open(
      new URL(url),
      { ...rest, headers: { 'user-agent': 'portcullis-doctor', ...headers, ...length } },
      signal,
    );
    const answer = answerOf(request, withinMs);
    request.end(body);
    return answer;
  } catch (error) {
    return Promise.resolve(failureOf(error));
  }
}

/** The head and a first piece; what comes back before the rest is sent is early. */
async function pour(url: string, { bytes, isDeclared }: Pouring, signal: AbortSignal): Promise<Poured | Failure> {
  const length: Record<string, string> = isDeclared
    ? { 'content-length': String(bytes) }
    : { 'transfer-encoding': 'chunked' };
  const headers = { 'user-agent': 'portcullis-doctor', 'content-type': 'application/octet-stream', ...length };
  const request = open(new URL(url), { method: 'PUT', headers, believesAnybody: true }, signal);
  const answer = answerOf(request, pourMs);
  let isAnswered = false;
  const answered = answer.then(() => void (isAnswered = true));
  request.write(chunk);
  await Promise.race([answered, pause(earlyMs)]);
  const isEarly = isAnswered;
  for (let sent = chunk.length; sent < bytes && !request.destroyed; sent += chunk.length) {
    const piece = chunk.subarray(0, Math.min(chunk.length, bytes - sent));
    if (!request.write(piece)) await Promise.race([new Promise((resolve) => request.once('drain', resolve)), answered]);
  }
  if (!request.destroyed) request.end();
  const result = await answer;
  return 'failed' in result ? result : { ...result, isEarly };
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms).unref());
}

async function certificate(url: URL, signal: AbortSignal): Promise<CertificateFacts | Failure> {
  const [facts, old] = await Promise.all([
    shake(url, signal, {}),
    // Old versions are off in OpenSSL, too, unless it is told otherwise.
    shake(url, signal, { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT:@SECLEVEL=0' }),
  ]);
  return 'failed' in facts ? facts : { ...facts, speaksOld: !('failed' in old) };
}

function shake(
  { hostname, port }: URL,
  signal: AbortSignal,
  versions: Pick<ConnectionOptions, 'minVersion' | 'maxVersion' | 'ciphers'>,
): Promise<Omit<CertificateFacts, 'speaksOld'> | Failure> {
  const host = hostname.replace(/^\[|\]$/g, '');
  return new Promise((resolve) => {
    const name = /^[\d.]+$|:/.test(host) ? {} : { servername: host };
    const socket = connectTls({
      host,
      port: Number(port === '' ? 443 : port),
      rejectUnauthorized: false,
      ...name,
      ...versions,
    });
    const settle = (found: Omit<CertificateFacts, 'speaksOld'> | Failure): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', stop);
      resolve(found);
      socket.destroy();
    };
    const timer = setTimeout(() => settle({ failed: `no TLS within ${usualMs / 1000} s` }), usualMs);
    const stop = (): void => settle({ failed: 'it took too long' });
    signal.addEventListener('abort', stop);
    socket.on('error', (error) => settle(failureOf(error)));
    socket.on('close', () => settle({ failed: 'the connection was closed' }));
    socket.on('secureConnect', () => {
      const { valid_to: end } = socket.getPeerCertificate();
      // Of types it is an error, in truth its code.
      const distrust = socket.authorized ? undefined : String(socket.authorizationError);
      settle({ distrust, validTo: Date.parse(end), protocol: socket.getProtocol() ?? 'TLS' });
    });
  });
}
