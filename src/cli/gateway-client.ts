/** Requests to a gateway as its clients make them, and why one was not answered, in words. */
import { type IncomingHttpHeaders, request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { parseJson } from '../distribution/json.ts';

export interface GatewayAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** undefined for what is no JSON. */
  readonly body: unknown;
}

/** Says what happened and what to do. */
export interface Trouble {
  readonly problem: string;
  readonly fix: string;
}

interface Sending {
  /** Which was run: from it the address comes. */
  readonly verb: 'login' | 'promote';
  readonly method: 'GET' | 'POST';
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** Absent: as long as it takes. */
  readonly timeoutMs?: number;
}

const maxAnswerBytes = 4 * 1024 * 1024;
/** What tells that the other end is gone while it says nothing for long. */
const keepAliveMs = 30_000;

/** Never rejects. Follows no redirect: credentials travel along. */
export function askGateway(
  url: URL,
  { verb, method, headers, body, timeoutMs }: Sending,
): Promise<GatewayAnswer | Trouble> {
  return new Promise((resolve) => {
    const open = url.protocol === 'https:' ? httpsRequest : httpRequest;
    const signal = timeoutMs === undefined ? undefined : AbortSignal.timeout(timeoutMs);
    const failed = (error: Error): void => resolve(trouble(error, url, verb, signal?.aborted === true));
    const length = { 'content-length': String(Buffer.byteLength(body)) };
    const request = open(url, { method, headers: { ...headers, ...length }, agent: false, signal }, (response) => {
      const chunks: Buffer[] = [];
      let size = 0;
      response.on('error', failed);
      response.on('data', (chunk: Buffer) => {
        chunks.push(chunk);
        if ((size += chunk.length) > maxAnswerBytes) response.destroy(new Error('the answer is too long'));
      });
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: parseJson(Buffer.concat(chunks)),
        }),
      );
    });
    request.on('error', failed);
    request.on('socket', (socket) => socket.setKeepAlive(true, keepAliveMs));
    request.end(body);
  });
}

const untrusted =
  /^(?:SELF_SIGNED_CERT_IN_CHAIN|DEPTH_ZERO_SELF_SIGNED_CERT|UNABLE_TO_(?:VERIFY_LEAF_SIGNATURE|GET_ISSUER_CERT(?:_LOCALLY)?))$/;

function trouble(error: Error, { host, protocol }: URL, verb: Sending['verb'], isLate: boolean): Trouble {
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  const from =
    verb === 'login' ? '' : ' It is taken from --gateway, SOURCE and TARGET, or publicUrl of the configuration';
  const name = `is this its name?${from}`;
  const named = verb === 'login' ? 'portcullis login' : '--gateway';
  if (isLate) return { problem: `${host} does not answer`, fix: `is the gateway well, and ${name}` };
  if (code === 'ECONNREFUSED')
    return { problem: `nothing listens at ${host}`, fix: `is the gateway running, and ${name}` };
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return { problem: `there is no host ${host}`, fix: name };
  if (untrusted.test(code)) {
    const fix = `if it is your own authority that signed it: NODE_EXTRA_CA_CERTS=ca.pem portcullis ${verb} …`;
    return { problem: `the certificate of ${host} is not trusted (${code})`, fix };
  }
  if (code === 'CERT_HAS_EXPIRED' || code === 'ERR_TLS_CERT_ALTNAME_INVALID')
    return { problem: `the certificate of ${host} does not hold: ${error.message}`, fix: 'mend it, or use its name' };
  if (protocol === 'https:' && (code === 'EPROTO' || code.startsWith('ERR_SSL')))
    return { problem: `${host} speaks no TLS`, fix: `if it is meant to be plain HTTP: ${named} http://${host}` };
  return {
    problem: `the connection to ${host} broke: ${error.message || code}`,
    fix:
      protocol === 'https:'
        ? 'run it again: repeating is safe'
        : `run it again, repeating is safe; where the gateway speaks TLS: ${named} https://${host}`,
  };
}
