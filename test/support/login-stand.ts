/** A registry that asks for a login, and a token server: https with a certificate of their own, in the process of the test. */
import { readFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { type SecureContext, createSecureContext } from 'node:tls';
import { makeCertificate } from './certificate.ts';
import { type StandIn, startStandIn } from './stand-in.ts';
import { makeTempDir, removeTempDir } from './temp-dir.ts';

export interface Seen {
  readonly method: string;
  readonly target: string;
  readonly authorization: string | undefined;
  /** As it came, once all of it has. */
  readonly body: string;
}

export interface SaidBack {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** `undefined`: nothing, ever. */
export type Says = (seen: Seen) => SaidBack | undefined | Promise<SaidBack | undefined>;

export interface Asked extends StandIn {
  readonly seen: Seen[];
  says: Says;
}

export interface LoginStand {
  readonly registry: Asked;
  readonly tokens: Asked;
  /** PEM file of the authority of both. */
  readonly ca: string;
  readonly trust: SecureContext;
  /** Both answer as at the beginning: the registry with a Bearer challenge, the token server with `t1`, `t2`, … */
  readonly reset: () => void;
  readonly close: () => Promise<void>;
}

export const account = 'svc';
export const password = 'pass-word-of-svc';
export const basicOf = (name: string, secret: string): string =>
  `Basic ${Buffer.from(`${name}:${secret}`).toString('base64')}`;
export const good = basicOf(account, password);

export async function startLoginStand(): Promise<LoginStand> {
  const dir = await makeTempDir('login');
  const [ca, key] = [join(dir, 'ca.pem'), join(dir, 'key.pem')];
  await makeCertificate(ca, key);
  const tls = { cert: await readFile(ca), key: await readFile(key) };
  const [registry, tokens] = [await startAsked(tls), await startAsked(tls)];
  const reset = (): void => {
    registry.seen.length = 0;
    tokens.seen.length = 0;
    let count = 0;
    const issued = new Set<string>();
    const challenge = `Bearer realm="${tokens.url}/token",service="registry.test"`;
    registry.says = ({ authorization }) =>
      issued.has(authorization ?? '')
        ? { status: 200, body: '{}' }
        : { status: 401, headers: { 'www-authenticate': challenge } };
    tokens.says = ({ authorization, body }) => {
      if (authorization !== good && !body.includes('refresh_token='))
        return { status: 401, body: '{"details":"wrong"}' };
      const token = `t${++count}`;
      issued.add(`Bearer ${token}`);
      return { status: 200, body: JSON.stringify({ token, expires_in: 300 }) };
    };
  };
  reset();
  return {
    registry,
    tokens,
    ca,
    trust: createSecureContext({ ca: tls.cert }),
    reset,
    async close() {
      await registry.close();
      await tokens.close();
      await removeTempDir(dir);
    },
  };
}

/** One of them, which answers 200 until it is told otherwise. */
export async function startAsked(tls?: { readonly cert: Buffer; readonly key: Buffer }): Promise<Asked> {
  const standIn = await startStandIn(
    (request, response) => {
      void read(request).then(async (seen) => {
        asked.seen.push(seen);
        const said = await asked.says(seen);
        if (said !== undefined) response.writeHead(said.status, said.headers ?? {}).end(said.body);
      });
    },
    tls === undefined ? {} : { tls },
  );
  const asked: Asked = { ...standIn, seen: [], says: () => ({ status: 200, body: '{}' }) };
  return asked;
}

async function read(request: IncomingMessage): Promise<Seen> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  const { method = '', url = '', headers } = request;
  return { method, target: url, authorization: headers.authorization, body: Buffer.concat(chunks).toString() };
}
