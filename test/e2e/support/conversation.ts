import { request } from 'node:http';
import type { Login } from '../../support/clients.ts';
import type { Site } from './sites.ts';

export interface Question {
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
  /** Sends the body without a length, in this many chunks. */
  readonly chunks?: number;
}

export interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, readonly string[]>>;
  readonly body: string;
  /** The connection ended before the length that the reply announced; then there is no body here. */
  readonly isCut: boolean;
}

/** One line of a conversation, without what differs from one registry or one moment to the next. */
export interface Exchanged extends Reply {
  readonly asked: string;
}

export interface Conversation {
  /** `target` is a path, or the URL of a Location, which is followed at the site itself. */
  readonly ask: (method: string, target: string, question?: Question) => Promise<Reply>;
  readonly exchanged: readonly Exchanged[];
}

/** Talks to a site over plain HTTP, and writes down everything that it says. */
export function converse(site: Site, login: Login): Conversation {
  const exchanged: Exchanged[] = [];
  const basic = Buffer.from(`${login.account}:${login.password}`).toString('base64');
  return {
    exchanged,
    async ask(method, target, question = {}) {
      const url = new URL(target, site.url);
      if (url.origin !== site.url) throw new Error(`${target} leads away from ${site.url}`);
      const reply = await exchange(url, method, question, `Basic ${basic}`);
      exchanged.push(neutral(site, `${method} ${describe(target, question)}`, reply));
      return reply;
    },
  };
}

export function locationOf(reply: Reply): string {
  const [location] = reply.headers['location'] ?? [];
  if (location === undefined) throw new Error(`no Location in a reply with ${reply.status}: ${reply.body}`);
  return location;
}

/** The location with another parameter; everything that is there stays byte for byte. */
export function withParameter(location: string, parameter: string): string {
  return `${location}${location.includes('?') ? '&' : '?'}${parameter}`;
}

function exchange(url: URL, method: string, question: Question, authorization: string): Promise<Reply> {
  const { headers = {}, body, chunks } = question;
  return new Promise((resolve, reject) => {
    const length = body === undefined || chunks !== undefined ? {} : { 'content-length': Buffer.byteLength(body) };
    // A connection each: no reply is taken for another's.
    const sent = request(url, { method, agent: false, headers: { ...length, ...headers, authorization } });
    sent.on('error', (error) =>
      reject(new Error(`${method} ${url.href} ${JSON.stringify(question.headers)}: ${error.message}`)),
    );
    sent.on('response', (response) => {
      const parts: Buffer[] = [];
      response.on('data', (part: Buffer) => parts.push(part));
      // The event that a cut reply has too; its error is told by `complete`.
      response.on('error', () => undefined);
      response.on('close', () => {
        const isCut = !response.complete;
        const named: Record<string, string[]> = {};
        for (let index = 0; index < response.rawHeaders.length; index += 2) {
          (named[(response.rawHeaders[index] ?? '').toLowerCase()] ??= []).push(response.rawHeaders[index + 1] ?? '');
        }
        const text = isCut ? '' : Buffer.concat(parts).toString('latin1');
        resolve({ status: response.statusCode ?? 0, headers: named, body: text, isCut });
      });
    });
    const bytes = Buffer.from(body ?? '');
    const step = Math.ceil(bytes.length / (chunks ?? 1));
    for (let begin = 0; begin < bytes.length; begin += step) sent.write(bytes.subarray(begin, begin + step));
    sent.end();
  });
}

/** Of the connection and of the moment, or added to every reply of ours. */
const unimportant = [
  ...['date', 'connection', 'keep-alive', 'x-request-id'],
  // For browsers that are led to content.
  ...['x-content-type-options', 'content-security-policy'],
];

function neutral(site: Site, asked: string, { status, headers, body, isCut }: Reply): Exchanged {
  const plain = (text: string): string =>
    text
      .replaceAll(site.url, '')
      // Where an upload goes on is the registry's own, and sealed when it is ours.
      .replace(/\b_(?:state|portcullis)=[^&> ]*/g, '_state=STATE')
      .replace(/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, 'UPLOAD')
      // Go makes up a boundary of sixty digits for the parts of a multipart reply.
      .replace(/\b[0-9a-f]{60}\b/g, 'BOUNDARY')
      // distribution 2.8 gives tags in the order of its file system.
      .replace(/"tags":\[([^\]]*)\]/, (_all, tags: string) => `"tags":[${tags.split(',').sort().join()}]`);
  const kept = Object.entries(headers).filter(([name]) => !unimportant.includes(name));
  return {
    asked: plain(asked),
    status,
    headers: Object.fromEntries(
      kept.map(([name, values]) => [name, name === 'last-modified' ? ['DATE'] : values.map(plain)]),
    ),
    body: plain(body),
    isCut,
  };
}

function describe(target: string, { headers = {}, body, chunks }: Question): string {
  const named = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  const sent =
    body === undefined ? [] : [`${Buffer.byteLength(body)} bytes${chunks === undefined ? '' : ' in chunks'}`];
  const fine = [...named, ...sent].join(', ');
  return fine === '' ? target : `${target} (${fine})`;
}
