/** Answers of `/api/v1` that say what went wrong: problem+json (RFC 9457), with a `type` that a program can match. */
import { field, parseJson } from '../../distribution/json.ts';
import type { Answer } from '../front/respond.ts';

/** With its status and its title. */
const kinds = {
  'request-invalid': [400, 'The request cannot be read'],
  'credentials-refused': [401, 'Log in'],
  'not-allowed': [403, 'Not allowed'],
  'source-unknown': [404, 'No such source'],
  'target-unknown': [404, 'No such target'],
  'promotion-unknown': [404, 'No such promotion'],
  unknown: [404, 'Not Found'],
  'method-unsupported': [405, 'Not a method of this'],
  'body-late': [408, 'The body did not arrive'],
  'tag-taken': [409, 'The tag is taken'],
  conflict: [409, 'Conflict'],
  'body-too-large': [413, 'The body is too large'],
  'type-unsupported': [415, 'Not a type of body that is read here'],
  'gate-failed': [422, 'A gate is closed'],
  'not-promotable': [422, 'It cannot be promoted'],
  'too-many': [429, 'Too many requests'],
  internal: [500, 'The gateway failed'],
  registry: [502, 'The registry failed'],
  busy: [503, 'Try again'],
  unavailable: [503, 'Service Unavailable'],
} as const;

export type ProblemType = keyof typeof kinds;

interface Extra {
  readonly status?: 502 | 503;
  readonly headers?: Readonly<Record<string, string>>;
  /** Further members of the document. */
  readonly more?: Readonly<Record<string, unknown>>;
}

const noStore = { 'Cache-Control': 'no-store' };
const problemHeaders = { 'Content-Type': 'application/problem+json', ...noStore };

/** `detail`: a sentence for whoever asked. */
export function problem(type: ProblemType, detail: string, { status, headers = {}, more = {} }: Extra = {}): Answer {
  const [usual, title] = kinds[type];
  const body = { type, title, status: status ?? usual, detail, ...more };
  return { status: body.status, headers: { ...problemHeaders, ...headers }, body: JSON.stringify(body) };
}

/** A refusal in the words and with the status and headers that it has elsewhere. */
export function asProblem({ status, headers = {}, body }: Answer): Answer {
  const said = field(parseJson(body), 'errors', '0', 'message');
  const type = typeOf(status);
  const [, title] = kinds[type];
  const document = { type, title, status, detail: typeof said === 'string' ? said : title };
  return { status, headers: { ...headers, ...problemHeaders }, body: JSON.stringify(document) };
}

function typeOf(status: number): ProblemType {
  switch (status) {
    case 401:
      return 'credentials-refused';
    case 403:
      return 'not-allowed';
    case 429:
      return 'too-many';
    default:
      return 'busy';
  }
}

/** 200 and the like. */
export function document(status: 200 | 201, value: unknown, headers: Readonly<Record<string, string>> = {}): Answer {
  return { status, headers: { ...noStore, ...headers }, body: JSON.stringify(value) };
}
