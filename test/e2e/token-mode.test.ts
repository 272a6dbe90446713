/** A gateway that gives tokens only: what is there, what is not, and which policies it takes. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type GatewayProcess, startGatewayProcess } from '../support/gateway.ts';
import { quickHash } from '../support/policies.ts';
import { run } from '../support/programs.ts';
import { cli } from '../support/trial.ts';

const nobody = 'http://127.0.0.1:9';
let gateway: GatewayProcess;
let sound: string;
const authorization = `Basic ${Buffer.from('dana:pass-word-of-dana').toString('base64')}`;

beforeAll(async () => {
  sound = `
users: { dana: { password: "${await quickHash('pass-word-of-dana')}" } }
rules:
  - { name: work, subjects: ["user:dana"], repositories: ["team/**"], actions: [pull, push] }
`;
  gateway = await startGatewayProcess({
    upstream: nobody,
    policies: { 'policy.yaml': sound },
    env: { PORTCULLIS_ENFORCE: 'token' },
  });
});
afterAll(() => gateway?.stop());

const claimsOf = (token: string): Record<string, unknown> =>
  JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as Record<string, unknown>;

describe('token mode', () => {
  test('gives tokens of two minutes that carry what may be done, and their keys', async () => {
    const scope = 'repository:team/app:pull,push,delete';
    const reply = await fetch(`${gateway.url}/token?scope=${scope}`, { headers: { authorization } });
    const { token } = (await reply.json()) as { readonly token: string };
    const { exp, iat, access } = claimsOf(token);
    expect(Number(exp) - Number(iat)).toBe(120);
    expect(access).toEqual([{ type: 'repository', name: 'team/app', actions: ['pull', 'push'] }]);
    expect((await fetch(`${gateway.url}/.well-known/jwks.json`)).status).toBe(200);
    expect((await fetch(`${gateway.url}/api/v1/me`, { headers: { authorization } })).status).toBe(200);
  });

  test.each(['/v2/', '/v2', '/v2/team/app/manifests/v1', '/v2/_catalog', '/v2/team/app/blobs/uploads/'])(
    'serves nothing at %s, whoever asks, and says where to go',
    async (path) => {
      for (const headers of [{}, { authorization }]) {
        const reply = await fetch(gateway.url + path, { headers });
        expect(reply.status).toBe(404);
        expect(reply.headers.get('www-authenticate')).toBeNull();
        expect(await reply.text()).toContain('pull from and push to the registry that sent you here');
      }
    },
  );

  test('has no page', async () => {
    const headers = { accept: 'text/html' };
    for (const path of ['/ui/', '/ui/login', '/'])
      expect((await fetch(gateway.url + path, { headers, redirect: 'manual' })).status).toBe(404);
  });

  test('is ready, and says how long an edit takes to bind', async () => {
    const page = await (await fetch(`${gateway.adminUrl}/readyz?verbose`)).text();
    expect(page).toContain('edits and revocations bind within 180 s');
  });

  test('an edit that no registry can hold to is refused, and the last good policy stays', async () => {
    const tagged = sound.replace('actions: [pull, push]', 'tags: ["v*"], actions: [pull, push]');
    await writeFile(join(gateway.policiesDir, 'policy.yaml'), tagged);
    const refused = await gateway.findLog((line) => line['event'] === 'policy' && line['decision'] !== 'allow');
    expect(JSON.stringify(refused)).toContain('cannot hold in token mode');
    const query = 'scope=repository:team/app:push';
    const reply = await fetch(`${gateway.url}/token?${query}`, { headers: { authorization } });
    const { token } = (await reply.json()) as { readonly token: string };
    expect(claimsOf(token)['access']).toEqual([{ type: 'repository', name: 'team/app', actions: ['push'] }]);
  });
});

test('check names each rule that token mode cannot keep, and serve does not start with it', async () => {
  const broken = `
rules:
  - { name: immutable, effect: deny, subjects: [everyone], repositories: ["release/**"], tags: ["v*"], actions: [overwrite] }
gates:
  - { name: approved, repositories: ["release/**"], from: ["integration/**"] }
`;
  await writeFile(join(gateway.policiesDir, 'policy.yaml'), broken);
  const env = {
    NODE_ENV: 'production',
    PORTCULLIS_ENFORCE: 'token',
    PORTCULLIS_PUBLIC_URL: 'http://127.0.0.1:9999',
    PORTCULLIS_UPSTREAM: nobody,
    PORTCULLIS_POLICIES: gateway.policiesDir,
    PORTCULLIS_STATE_DIR: join(gateway.policiesDir, '..', 'other'),
  };
  const checked = await run(process.execPath, [cli, 'check', '--json'], { cwd: gateway.policiesDir, env });
  expect(checked.code).toBe(1);
  const { problems } = JSON.parse(checked.stdout) as { readonly problems: readonly { readonly code: string }[] };
  expect(problems.map(({ code }) => code).filter((code) => code.startsWith('token-mode'))).toEqual([
    'token-mode-half-push',
    'token-mode-tags',
    'token-mode-gate',
  ]);
  const without = { ...env, PORTCULLIS_ENFORCE: 'proxy' };
  const asProxy = await run(process.execPath, [cli, 'check', '--json'], { cwd: gateway.policiesDir, env: without });
  expect(asProxy.stdout).not.toContain('token-mode');
  const served = await run(process.execPath, [cli, 'serve'], { cwd: gateway.policiesDir, env });
  expect(served.code).toBe(78);
  expect(served.stderr).toContain('cannot hold in token mode');
});

test.each([
  ['a page', { PORTCULLIS_PAGE_ENABLED: 'true' }, 'page.enabled'],
  [
    'registries behind a prefix',
    { PORTCULLIS_UPSTREAM: '', PORTCULLIS_UPSTREAMS_A_URL: nobody, PORTCULLIS_UPSTREAMS_A_PREFIX: 'a' },
    'prefix',
  ],
  [
    'names that get library/ in front',
    { PORTCULLIS_UPSTREAM: '', PORTCULLIS_UPSTREAMS_A_URL: nobody, PORTCULLIS_UPSTREAMS_A_LIBRARY: 'true' },
    'library',
  ],
])('the configuration cannot have %s beside it', async (_what, more, words) => {
  const { PORTCULLIS_UPSTREAM, ...rest } = { PORTCULLIS_UPSTREAM: nobody, ...more };
  const env = {
    NODE_ENV: 'production',
    PORTCULLIS_ENFORCE: 'token',
    PORTCULLIS_PUBLIC_URL: 'http://127.0.0.1:9999',
    ...(PORTCULLIS_UPSTREAM === '' ? {} : { PORTCULLIS_UPSTREAM }),
    ...rest,
  };
  const checked = await run(process.execPath, [cli, 'check'], { cwd: gateway.policiesDir, env });
  expect([checked.code, checked.stderr]).toEqual([1, expect.stringContaining(words)]);
});
