/** One step's way to a gateway, and what answers must be like. */
import { field, parseJson } from '../distribution/json.ts';
import { type Answer, codeOf, send } from './request.ts';

export interface DemoExchange {
  readonly method: string;
  /** Path and query. */
  readonly target: string;
  readonly status: number;
}

/** What the flow does not allow. */
export interface Surprise {
  readonly message: string;
  /** What to look at. */
  readonly check: string;
  /** That was not as expected, where one came. */
  readonly answer?: Answer;
}

const answerMs = 30_000;
const maxBytes = 4 * 1024 * 1024;

export interface Call {
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer;
  /** The only status that the flow allows, what was asked for in words, and what to look at when another one comes. */
  readonly expected: number;
  readonly what: string;
  readonly check: string;
}

/** One step's way to the gateway: every request is listed with its status. */
export interface Visit {
  readonly origin: string;
  readonly note: (line: string) => void;
  /** `target` is an absolute address or a path; none that leaves the gateway is followed, for credentials travel along. */
  readonly call: (method: string, target: string, call: Call) => Promise<Answer | Surprise>;
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
    call: async (method, target, { headers, body, ...wanted }) => {
      const url = new URL(target, origin);
      if (url.origin !== origin) {
        const message = `the gateway points to ${url.origin} for ${method} ${url.pathname}`;
        return { message, check: 'publicUrl and Location' };
      }
      const signal = AbortSignal.timeout(answerMs);
      const answer = await send(url, { method, headers: { ...headers }, body, signal, maxBytes });
      if (answer instanceof Error) return unanswered(answer, method, url);
      record({ method, target: url.pathname + url.search, status: answer.status });
      return answer.status === wanted.expected ? answer : unexpected(answer, wanted);
    },
  };
}

function unanswered(error: Error, method: string, { host, pathname, origin }: URL): Surprise {
  const code = codeOf(error);
  if (code === 'ECONNREFUSED') {
    return { message: `nothing listens on ${host}`, check: 'is the gateway running? Start it with: npm start' };
  }
  return { message: `no answer to ${method} ${pathname}: ${error.message || (code ?? error.name)}`, check: origin };
}

function unexpected(answer: Answer, { expected, what, check }: Call): Surprise {
  const { status, headers, body } = answer;
  const said = firstError(body)?.message ?? '';
  const because = said === '' ? '' : ` (${said})`;
  if (status !== 429) return { message: `${what}: expected ${expected}, got ${status}${because}`, check, answer };
  const wait = headers['retry-after'] ?? 'a few';
  return { message: `${what}: a limit is reached, 429${because}`, check: `try again in ${wait} seconds` };
}

/** Undefined where they are the same. */
export function digestSurprise(found: string, expected: string, what: string): Surprise | undefined {
  if (found === expected) return undefined;
  return { message: `${what} is ${found}, not ${expected}`, check: 'the registry behind the gateway' };
}

/** The first entry of an OCI error body. */
export function firstError(body: Buffer): { readonly code: string; readonly message: string } | undefined {
  const first = field(parseJson(body), 'errors', '0');
  const code = field(first, 'code');
  const message = field(first, 'message');
  return typeof code === 'string' && typeof message === 'string' ? { code, message } : undefined;
}
