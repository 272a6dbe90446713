import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startGatewayProcess, type GatewayProcess } from '../support/gateway.ts';
import { quickHash } from '../support/policies.ts';
import { type StandIn, startStandIn } from '../support/stand-in.ts';

/** A registry that never says `Docker-Content-Digest`, which the specification lets it leave out. */

const sha256 = (text: string): string => `sha256:${createHash('sha256').update(text).digest('hex')}`;
const manifestType = 'application/vnd.oci.image.manifest.v1+json';
const image = (serial: number): string =>
  JSON.stringify({ schemaVersion: 2, mediaType: manifestType, layers: [serial] });
const blob = 'a blob';

const stored = new Map<string, string>();
const tags = new Map<string, string>();
let registry: StandIn;
let gateway: GatewayProcess;
const authorization = `Basic ${Buffer.from('dana:password-of-dana').toString('base64')}`;

function answer(request: IncomingMessage, response: ServerResponse): void {
  const [, kind, reference = ''] = /\/(manifests|blobs|tags)\/(.*)$/.exec(request.url ?? '') ?? [];
  if (request.url === '/v2/') return void response.end('{}');
  if (kind === 'tags') return void response.end(JSON.stringify({ tags: [...tags.keys()] }));
  if (request.method === 'PUT') {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const text = Buffer.concat(chunks).toString();
      stored.set(sha256(text), text);
      if (!reference.startsWith('sha256:')) tags.set(reference, sha256(text));
      response.writeHead(201, { Location: request.url }).end();
    });
    return;
  }
  const digest = tags.get(reference) ?? reference;
  const text = kind === 'blobs' ? blob : stored.get(digest);
  if (text === undefined) {
    response.writeHead(404).end('{"errors":[{"code":"MANIFEST_UNKNOWN"}]}');
  } else if (request.method === 'DELETE') {
    stored.delete(digest);
    for (const [tag, named] of tags) if (named === digest) tags.delete(tag);
    response.writeHead(202).end();
  } else {
    response.writeHead(200, { 'Content-Type': manifestType, 'Content-Length': text.length });
    response.end(request.method === 'HEAD' ? undefined : text);
  }
}

beforeAll(async () => {
  registry = await startStandIn(answer);
  const policy = `users: { dana: { password: '${await quickHash('password-of-dana', { memoryCost: 8192 })}' } }
rules:
  - { name: may, subjects: ['user:dana'], repositories: ['**'], actions: [pull, push, delete] }
  - { name: keep, effect: deny, subjects: [everyone], repositories: ['**'], tags: ['v*'], actions: [overwrite, delete] }
`;
  gateway = await startGatewayProcess({ upstream: registry.url, policies: { 'p.yaml': policy } });
});
afterAll(async () => {
  await gateway.stop();
  await registry.close();
});

const ask = (method: string, path: string, body?: string): Promise<Response> =>
  fetch(`${gateway.url}/v2/app/${path}`, {
    method,
    headers: { authorization, ...(body === undefined ? {} : { 'content-type': manifestType }) },
    ...(body === undefined ? {} : { body }),
  });
const push = (reference: string, text: string): Promise<Response> => ask('PUT', `manifests/${reference}`, text);

describe('in front of a registry that names no digests', () => {
  test('a protected tag is created, repeated and not moved', async () => {
    const [one, two] = [image(1), image(2)];
    expect((await push('v1', one)).status).toBe(201);
    expect((await push('v1', one)).status).toBe(201);
    expect((await push('v1', two)).status).toBe(403);
    expect((await push('nightly', one)).status).toBe(201);
    expect((await push('nightly', two)).status).toBe(201);
  });

  test('a digest is deleted when no protected tag points at it, and else not', async () => {
    const [kept, free] = [image(3), image(4)];
    await push('v3', kept);
    await push('free', free);
    expect((await ask('DELETE', `manifests/${sha256(kept)}`)).status).toBe(403);
    expect((await ask('DELETE', `manifests/${sha256(free)}`)).status).toBe(202);
  });

  test('clients are told the digest of what they push and read', async () => {
    const text = image(5);
    const digest = sha256(text);
    const named = (reply: Response): unknown => reply.headers.get('docker-content-digest');
    expect(named(await push('latest', text))).toBe(digest);
    for (const reference of ['latest', digest]) {
      const got = await ask('GET', `manifests/${reference}`);
      expect([named(got), await got.text()]).toEqual([digest, text]);
      const head = await ask('HEAD', `manifests/${reference}`);
      expect([named(head), head.headers.get('content-length')]).toEqual([digest, String(text.length)]);
    }
    expect(named(await ask('GET', `blobs/${sha256(blob)}`))).toBe(sha256(blob));
    expect(named(await ask('HEAD', `blobs/${sha256(blob)}`))).toBe(sha256(blob));
    const missing = await ask('GET', 'manifests/missing');
    expect([missing.status, named(missing)]).toEqual([404, null]);
  });

  test('what is logged names the digest, too', async () => {
    await push('logged', image(6));
    await ask('GET', 'manifests/logged');
    expect(
      await gateway.findLog((record) => record['reference'] === 'logged' && record['action'] === 'pull'),
    ).toMatchObject({ digest: sha256(image(6)), status: 200 });
  });
});
