import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type RegistryRoute, parseRoute } from '../../src/distribution/route.ts';
import { codeFor } from '../../src/http/backend/registry-errors.ts';
import { withoutIds } from '../support/error-body.ts';
import { type GatewayProcess, startGatewayProcess } from '../support/gateway.ts';
import { quickHash } from '../support/policies.ts';
import { type StandIn, startStandIn } from '../support/stand-in.ts';

/** A registry that refuses, in words that no client of registries reads. */

const digest = `sha256:${'a'.repeat(64)}`;
const page = '<html><h1>404 page not found</h1></html>';
let status = 404;
let body = page;
let methods: string[] = [];
let registry: StandIn;
let gateway: GatewayProcess;

beforeAll(async () => {
  registry = await startStandIn((request, response) => {
    if (request.url === '/v2/') return void response.end('{}');
    methods.push(`${request.method} ${request.url}`);
    response.writeHead(status, { 'Content-Type': 'text/html', 'Retry-After': '9' });
    response.end(request.method === 'HEAD' ? undefined : body);
  });
  const policy = `users: { dana: { password: '${await quickHash('password-of-dana', { memoryCost: 8192 })}' } }
rules:
  - { name: may, subjects: ['user:dana'], repositories: ['**'], actions: [pull, push, delete, catalog] }
`;
  gateway = await startGatewayProcess({ upstream: registry.url, policies: { 'p.yaml': policy } });
});
afterAll(async () => {
  await gateway.stop();
  await registry.close();
});

const ask = (method: string, path: string): Promise<Response> =>
  fetch(`${gateway.url}/v2/${path}`, {
    method,
    headers: { authorization: `Basic ${Buffer.from('dana:password-of-dana').toString('base64')}` },
    ...(method === 'PUT' || method === 'PATCH' ? { body: '{}' } : {}),
  });

describe('a registry without a catalog', () => {
  test.each(
    [404, 405, 501].flatMap((code) =>
      [page, '', '{"errors":[{"code":"UNSUPPORTED","message":"no"}]}'].map((text) => [code, text] as const),
    ),
  )('that says so by a %i and "%s" is a 404 in the form of the API, asked once', async (code, text) => {
    [status, body, methods] = [code, text, []];
    const reply = await ask('GET', '_catalog?n=5');
    expect([reply.status, reply.headers.get('content-type')]).toEqual([404, 'application/json']);
    expect(JSON.parse(withoutIds(await reply.text()))).toEqual({
      errors: [{ code: 'UNSUPPORTED', message: 'the registry behind the gateway has no catalog' }],
    });
    expect(methods).toHaveLength(1);
  });

  test.each([500, 503])('is not one that fails: %i', async (code) => {
    status = code;
    expect((await ask('GET', '_catalog')).status).toBe(502);
  });
});

describe('a registry that refuses with a page', () => {
  const asked: readonly (readonly [method: string, path: string])[] = [
    ['GET', 'app/manifests/v1'],
    ['HEAD', 'app/manifests/v1'],
    ['GET', `app/manifests/${digest}`],
    ['PUT', 'app/manifests/v1'],
    ['DELETE', 'app/manifests/v1'],
    ['GET', `app/blobs/${digest}`],
    ['HEAD', `app/blobs/${digest}`],
    ['DELETE', `app/blobs/${digest}`],
    ['POST', 'app/blobs/uploads/'],
    ['GET', 'app/tags/list'],
    ['GET', `app/referrers/${digest}`],
  ];
  test.each(asked)('is understood by whoever sends %s %s', async (method, path) => {
    [status, body] = [418, page];
    const reply = await ask(method, path);
    expect([reply.status, reply.headers.get('retry-after')]).toEqual([418, '9']);
    expect(reply.headers.get('content-type')).toBe('application/json');
    const text = await reply.text();
    if (method === 'HEAD') expect(text).toBe('');
    else expect(JSON.parse(text)).toMatchObject({ errors: [{ code: 'UNSUPPORTED' }] });
  });

  test('is not believed when it wants a login: that is ours', async () => {
    for (status of [401, 403]) expect((await ask('GET', 'app/manifests/v1')).status).toBe(502);
  });
});

test('no client error has a code that clients repeat, and each server error has one', () => {
  const kinds = new Set<string>();
  const repeated = ['UNKNOWN', 'UNAVAILABLE', 'TOOMANYREQUESTS', 'BLOB_UPLOAD_INVALID'];
  for (const [method, path] of [
    ['GET', '/v2/'],
    ['GET', '/v2/_catalog'],
    ['GET', '/v2/a/tags/list'],
    ['GET', `/v2/a/referrers/${digest}`],
    ['GET', '/v2/a/manifests/v1'],
    ['PUT', '/v2/a/manifests/v1'],
    ['DELETE', '/v2/a/manifests/v1'],
    ['GET', `/v2/a/blobs/${digest}`],
    ['DELETE', `/v2/a/blobs/${digest}`],
    ['POST', '/v2/a/blobs/uploads/'],
    ['GET', '/v2/a/blobs/uploads/1'],
    ['PATCH', '/v2/a/blobs/uploads/1'],
    ['PUT', `/v2/a/blobs/uploads/1?digest=${digest}`],
    ['DELETE', '/v2/a/blobs/uploads/1'],
  ] as const) {
    const parsed = parseRoute(method, path);
    const route: RegistryRoute | undefined = 'route' in parsed ? parsed.route : undefined;
    if (route === undefined) throw new Error(path);
    kinds.add(route.kind);
    for (let code = 400; code < 600; code++) {
      const isRepeated = repeated.includes(codeFor(code, route));
      expect([path, code, isRepeated]).toEqual([path, code, code === 429 || (code >= 500 && code !== 501)]);
    }
  }
  expect(kinds.size).toBe(14);
});
