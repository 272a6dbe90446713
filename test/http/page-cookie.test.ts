/** What the page's cookie is no credential for: the registry, its tokens, and whatever lies behind the gateway. */
import type { IncomingHttpHeaders } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { basic, type GatewayHere, policy, startGatewayHere, testConfig, tokenFor } from '../support/gateway.ts';
import { type StandIn, startStandIn } from '../support/stand-in.ts';
import { Visitor, ask } from '../support/visitor.ts';

const content = '<script>alert(document.domain)</script>';
const digest = 'sha256:4f9ea1a1d0e3d7b9f1b0f0d5f4a9a6b1a7c0f2f4a3e1d2c3b4a5968778695a4b';

let registry: StandIn;
let gateway: GatewayHere;
const received: { readonly method: string; readonly target: string; readonly headers: IncomingHttpHeaders }[] = [];
let dana: Visitor;

beforeAll(async () => {
  registry = await startStandIn((request, response) => {
    const { method = '', url = '', headers } = request;
    received.push({ method, target: url, headers });
    request.resume();
    const html = { 'content-type': 'text/html', 'docker-content-digest': digest };
    if (url.endsWith('/blobs/uploads/'))
      response.writeHead(202, { location: `/v2/mine/app/blobs/uploads/1`, 'content-length': 0 });
    else if (url.includes('/missing')) response.writeHead(404, html);
    else
      response.writeHead(200, {
        ...html,
        'content-security-policy': 'none of it',
        'set-cookie': '__Host-portcullis=theirs',
      });
    response.end(method === 'HEAD' || url.endsWith('/uploads/') ? '' : content);
  });
  gateway = await startGatewayHere({ 'policy.yaml': policy }, (dir, policiesDir) => ({
    ...testConfig(registry.url)(dir, policiesDir),
    publicUrl: 'https://registry.test',
  }));
  dana = new Visitor(gateway.url);
  await dana.logIn('dana', 'correct horse');
});
afterAll(async () => {
  await gateway.close();
  await registry.close();
});

describe('the cookie of somebody who is logged in', () => {
  test('is nobody at the registry and at its token server, with or without what browsers add', async () => {
    expect((await dana.get('/ui/')).status).toBe(200);
    const ways = [{}, { 'sec-fetch-site': 'same-origin', origin: 'https://registry.test' }];
    for (const more of ways) {
      const headers = { cookie: dana.cookie, ...more };
      for (const target of ['/v2/', '/v2/mine/app/manifests/v1', '/v2/mine/app/blobs/' + digest, '/v2/_catalog']) {
        const reply = await ask(gateway.url, target, { headers });
        expect([target, reply.status]).toEqual([target, 401]);
        expect(reply.headers['www-authenticate']).toMatch(/^Bearer realm="https:\/\/registry\.test\/token"/);
      }
      const put = { method: 'PUT', headers: { ...headers, 'content-type': 'application/json' }, body: '{}' };
      expect((await ask(gateway.url, '/v2/mine/app/manifests/v1', put)).status).toBe(401);
      const login = await ask(gateway.url, '/token?service=registry.test&account=dana&offline_token=true', { headers });
      expect(login.status).toBe(401);
      const scoped = await ask(gateway.url, '/token?service=registry.test&scope=repository:mine/app:pull', { headers });
      const claims = /"token":"[^.]+\.([^.]+)/.exec(scoped.body)?.[1] ?? '';
      const { sub, access } = JSON.parse(Buffer.from(claims, 'base64url').toString()) as {
        sub: string;
        access: unknown;
      };
      expect([sub, access]).toEqual(['', [{ type: 'repository', name: 'mine/app', actions: [] }]]);
    }
    expect(received.filter(({ target }) => target.includes('mine'))).toEqual([]);
  });

  test('is no refresh token, no password and no access token', async () => {
    const secret = dana.cookies.get('__Host-portcullis') ?? '';
    const form = { 'content-type': 'application/x-www-form-urlencoded' };
    const refresh = new URLSearchParams({
      grant_type: 'refresh_token',
      refresh_token: secret,
      service: 'registry.test',
      scope: 'repository:mine/app:pull',
    });
    expect((await ask(gateway.url, '/token', { method: 'POST', headers: form, body: refresh.toString() })).status).toBe(
      401,
    );
    for (const authorization of [
      `Bearer ${secret}`,
      `Basic ${Buffer.from(`dana:${secret}`).toString('base64')}`,
      `Basic ${Buffer.from(`<token>:${secret}`).toString('base64')}`,
    ])
      expect((await ask(gateway.url, '/v2/', { headers: { authorization } })).status).toBe(401);
    expect((await dana.get('/ui/')).status).toBe(200);
  });

  test('never reaches the registry, whatever is asked of it and by whatever credentials', async () => {
    received.length = 0;
    const token = await tokenFor(gateway.url, ['repository:mine/app:pull,push,delete']);
    for (const authorization of [`Bearer ${token}`, `Basic ${basic}`]) {
      const headers = { authorization, cookie: dana.cookie };
      for (const target of ['/v2/mine/app/manifests/v1', `/v2/mine/app/blobs/${digest}`, '/v2/mine/app/tags/list'])
        await ask(gateway.url, target, { headers });
      await ask(gateway.url, '/v2/mine/app/blobs/uploads/', { method: 'POST', headers });
      await ask(gateway.url, `/v2/mine/app/blobs/${digest}`, { method: 'DELETE', headers });
    }
    expect(received.length).toBeGreaterThan(5);
    for (const { headers } of received) {
      expect(headers.cookie).toBeUndefined();
      expect(JSON.stringify(headers)).not.toContain(dana.cookies.get('__Host-portcullis'));
    }
  });

  test('is not set by the registry', async () => {
    const headers = { authorization: `Basic ${basic}` };
    const reply = await ask(gateway.url, '/v2/mine/app/manifests/v1', { headers });
    expect([reply.status, reply.headers['set-cookie']]).toEqual([200, undefined]);
  });
});

describe('content of the registry', () => {
  test('runs in no browser, whatever it says to be, from the registry and from memory', async () => {
    const headers = { authorization: `Basic ${basic}` };
    for (const target of [
      '/v2/mine/app/manifests/v2',
      `/v2/mine/app/blobs/${digest}`,
      '/v2/mine/app/blobs/missing',
      '/v2/mine/missing/manifests/v1',
      '/v2/',
      '/v2',
    ])
      for (let time = 0; time < 2; time++)
        for (const method of ['GET', 'HEAD']) {
          const reply = await ask(gateway.url, target, { method, headers });
          expect([target, reply.headers['content-security-policy'], reply.headers['x-content-type-options']]).toEqual([
            ...[target, 'sandbox', 'nosniff'],
          ]);
        }
    for (const target of ['/v2/mine/app/manifests/v1', '/v2/x/y'])
      expect((await ask(gateway.url, target)).headers['content-security-policy']).toBe('sandbox');
  });
});
