/** One step's way to a gateway, and what answers must be like. */
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { request as httpsRequest } from 'node:https';

export interface DemoExchange {
  readonly method: string;
  /** Path and query. */
  readonly target: string;
  readonly status: number;
}

const answerMs = 30_000;
const maxBodyBytes = 4 * 1024 * 1024;

/** An answer that the flow does not allow. Thrown inside a step, never out of runDemo. */
export class Surprise extends Error {
  readonly check: string;

  constructor(message: string, check: string) {
    super(message);
    this.check = check;
  }
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

export interface Call {
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer;
}

/** One step's way to the gateway: every request is listed with its status. */
export interface Visit {
  readonly origin: string;
  readonly note: (line: string) => void;
  /** `target` is an absolute address or a path; one that leaves the gateway is a Surprise, for credentials travel along. */
  readonly call: (method: string, target: string, call?: Call) => Promise<Answer>;
}

/** `record` hears of every request that was answered. */
export function openVisit(
  origin: string,
  note: (line: string) => void,
  record: (exchange: DemoExchange) => void,
): Visit {
  return {
    origin,
    note,
    call: async (method, target, call = {}) => {
      const url = new URL(target, origin);
      if (url.origin !== origin) {
        throw new Surprise(
          `the gateway points to ${url.origin} for ${method} ${url.pathname}`,
          'publicUrl and Location',
        );
      }
      const answer = await exchange(method, url, call);
      record({ method, target: url.pathname + url.search, status: answer.status });
      return answer;
    },
  };
}

function exchange(method: string, url: URL, call: Call): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const fail = (error: Error): void => {
      const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined;
      reject(
        code === 'ECONNREFUSED'
          ? new Surprise(`nothing listens on ${url.host}`, 'is the gateway running? Start it with: npm start')
          : new Surprise(
              `no answer to ${method} ${url.pathname}: ${error.message || (code ?? error.name)}`,
              url.origin,
            ),
      );
    };
    const send = url.protocol === 'https:' ? httpsRequest : httpRequest;
    const headers = { ...call.headers, ...(call.body === undefined ? {} : { 'content-length': call.body.length }) };
    if (method === 'POST' && call.body === undefined) Object.assign(headers, { 'content-length': 0 });
    const request = send(url, { method, headers, agent: false, signal: AbortSignal.timeout(answerMs) }, (response) => {
      const chunks: Buffer[] = [];
      let size = 0;
      response.on('error', fail);
      response.on('data', (chunk: Buffer) => {
        size += chunk.length;
        chunks.push(chunk);
        if (size > maxBodyBytes) response.destroy(new Error('the answer is too long'));
      });
      response.on('end', () => {
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) });
      });
    });
    request.on('error', fail);
    request.end(call.body);
  });
}

/** The answer; a Surprise where it has another status. `check`: what to look at then. */
export function expectStatus(answer: Answer, expected: readonly number[], what: string, check: string): Answer {
  if (expected.includes(answer.status)) return answer;
  const message = firstError(answer.body)?.message;
  const said = message === undefined || message === '' ? '' : ` (${message})`;
  if (answer.status === 429) {
    const wait = answer.headers['retry-after'];
    throw new Surprise(`${what}: a limit is reached, 429${said}`, `try again in ${wait ?? 'a few'} seconds`);
  }
  throw new Surprise(`${what}: expected ${expected.join(' or ')}, got ${answer.status}${said}`, check);
}

/** A Surprise where they differ. */
export function expectDigest(found: string, expected: string, what: string): void {
  if (found === expected) return;
  throw new Surprise(`${what} is ${found}, not ${expected}`, 'the registry behind the gateway');
}

/** The first entry of an OCI error body. */
export function firstError(body: Buffer): { readonly code: string; readonly message: string } | undefined {
  const errors = field(parseJson(body), 'errors');
  const first: unknown = Array.isArray(errors) ? errors[0] : undefined;
  const code = field(first, 'code');
  const message = field(first, 'message');
  return typeof code === 'string' && typeof message === 'string' ? { code, message } : undefined;
}

/** Undefined for what is not JSON. */
export function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    return undefined;
  }
}

/** Undefined where there is none. */
export function field(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, key)
    ? (value as Record<string, unknown>)[key]
    : undefined;
}
