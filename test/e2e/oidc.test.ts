/** Logins by the browser at a real OpenID provider, at the built program: by raw requests, and by chromium. */
import { decodeJwt } from 'jose';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { barriers, openSheet, startBrowser } from '../support/browser.ts';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/free-port.mjs';
import { type GatewayProcess, startGatewayProcess } from '../support/gateway.ts';
import { quickHash } from '../support/policies.ts';
import { findProgram } from '../support/programs.ts';
import { startObedientRegistry } from '../support/registries.ts';
import { Visitor, fieldOf } from '../support/visitor.ts';
import { type WebProvider, type WebProviderOptions, startWebProvider } from '../support/web-provider.ts';

let policy: string;
let provider: WebProvider;
let gateway: GatewayProcess;
let registry: Awaited<ReturnType<typeof startObedientRegistry>>;

beforeAll(async () => {
  policy = `
users: { max: { password: "${await quickHash('correct horse')}" } }
groups: { developers: { from: ["oidc:dev-team"] } }
rules: [{ name: share, subjects: ["group:developers"], repositories: ["sandbox/**"], actions: [pull, push] }]
`;
});

async function begin(options: Partial<WebProviderOptions> = {}): Promise<void> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  registry = await startObedientRegistry({});
  provider = await startWebProvider({
    redirectUri: `${url}/ui/login/callback`,
    claimsOf: (account) => ({ preferred_username: account, groups: ['dev-team', 'everybody'] }),
    ...options,
  });
  gateway = await startGatewayProcess({
    upstream: registry.url,
    policies: { 'p.yaml': policy },
    publicUrl: url,
    env: {
      PORTCULLIS_LISTEN: `127.0.0.1:${port}`,
      PORTCULLIS_LOGINS_OIDC_ISSUER: provider.url,
      PORTCULLIS_LOGINS_OIDC_CLIENT_ID: provider.clientId,
      PORTCULLIS_LOGINS_OIDC_CLIENT_SECRET: provider.clientSecret,
      PORTCULLIS_LOGINS_OIDC_CA: provider.ca,
      PORTCULLIS_LOGINS_OIDC_LABEL: 'Example SSO',
    },
  });
  publicUrl = url;
}
let publicUrl: string;

afterEach(async () => {
  await gateway.stop();
  await provider.close();
  await registry.close();
});

async function logIn(visitor: Visitor, account: string, next = '/ui/') {
  const away = await visitor.get(`/ui/login/oidc?next=${encodeURIComponent(next)}`);
  const back = await provider.logIn(away.headers.location ?? '', account);
  return visitor.get(back.pathname + back.search);
}

const metric = async (name: string): Promise<string | undefined> => {
  const text = await (await fetch(`${gateway.adminUrl}/metrics`)).text();
  return text.split('\n').find((line) => line.startsWith(name));
};

describe('at a provider', () => {
  beforeEach(() => begin());

  test('somebody logs in, is in their groups, and is written down; the password of docker is none of theirs', async () => {
    const olga = new Visitor(publicUrl);
    const seen = await logIn(olga, 'olga');
    expect([seen.status, seen.headers.location]).toEqual([303, '/ui/']);
    expect((await olga.get('/ui/')).body).toContain('olga');
    const record = await gateway.findLog(({ event, decision }) => event === 'login' && decision === 'allow');
    expect(record).toMatchObject({ account: 'olga', method: 'oidc', source: 'oidc', groups: ['oidc:dev-team'] });
    expect(await metric('portcullis_logins_total{method="oidc"')).toBe(
      'portcullis_logins_total{method="oidc",result="ok"} 1',
    );
    expect(await metric('portcullis_login_source_up{source="oidc"')).toMatch(/ 1$/);
    const authorization = `Basic ${Buffer.from('olga:anything').toString('base64')}`;
    const refused = await fetch(`${publicUrl}/token`, {
      headers: { authorization },
    });
    expect([refused.status, await refused.text()]).toEqual([
      401,
      expect.stringContaining(`needs an access token, made at ${publicUrl}/ui/me`) as string,
    ]);
    const written = gateway.stdout();
    for (const secret of [provider.clientSecret, 'code=', ...olga.cookies.values()])
      expect(written).not.toContain(secret);
  });

  test('somebody logs in, makes an access token for docker and pulls with it, also while the provider is stopped', async () => {
    const olga = new Visitor(publicUrl);
    await logIn(olga, 'olga', '/ui/me');
    const page = (await olga.get('/ui/me')).body;
    const csrf = fieldOf(page.slice(page.indexOf('action="/ui/me/tokens"')), 'csrf');
    const made = await olga.post('/ui/me/tokens', { csrf, label: 'laptop', lifetime: '7d', 'may-pull': 'on' });
    const secret = /pct_[0-9A-Za-z]{36}/.exec(made.body)?.[0] ?? '';
    const headers = { authorization: `Basic ${Buffer.from(`olga:${secret}`).toString('base64')}` };
    await provider.stop();
    const answer = await fetch(`${publicUrl}/token?scope=repository:sandbox/app:pull,push`, { headers });
    const { token = '' } = (await answer.json()) as { readonly token?: string };
    expect([answer.status, decodeJwt(token)]).toMatchObject([
      200,
      { sub: 'olga', src: 'oidc', groups: ['dev-team'], access: [{ name: 'sandbox/app', actions: ['pull'] }] },
    ]);
    // Who they are is settled, what they ask for is not there.
    const bearer = { headers: { authorization: `Bearer ${token}` } };
    expect((await fetch(`${publicUrl}/v2/sandbox/app/manifests/1.0`, bearer)).status).not.toBe(401);
    expect((await fetch(`${publicUrl}/v2/release/app/manifests/1.0`, bearer)).status).toBe(403);
    expect(gateway.stdout()).not.toContain(secret);
  });

  test('which is stopped, nobody new logs in, who is in stays in, passwords do not notice, and it comes back', async () => {
    const olga = new Visitor(publicUrl);
    await logIn(olga, 'olga');
    const rita = new Visitor(publicUrl);
    const away = await rita.get('/ui/login/oidc');
    const back = await provider.logIn(away.headers.location ?? '', 'rita');
    await provider.stop();
    const late = await rita.get(back.pathname + back.search);
    expect([late.status, late.headers['retry-after']]).toEqual([503, '5']);
    expect(late.body).toContain('Example SSO cannot be asked at the moment');
    expect((await olga.get('/ui/')).status).toBe(200);
    expect((await new Visitor(publicUrl).logIn('max', 'correct horse')).status).toBe(303);
    expect(await metric('portcullis_login_source_up{source="oidc"')).toMatch(/ 0$/);
    const ready = await fetch(`${gateway.adminUrl}/readyz?verbose`);
    expect([ready.status, await ready.text()]).toEqual([200, expect.stringContaining('logins.oidc') as string]);
    await provider.start();
    await eventually('somebody logs in', async () => (await logIn(rita, 'rita')).status === 303);
  });
});

test('that says the name and the groups in the userinfo only, somebody logs in all the same', async () => {
  await begin({ isConform: true });
  const olga = new Visitor(publicUrl);
  expect((await logIn(olga, 'olga')).status).toBe(303);
  const record = await gateway.findLog(({ event, decision }) => event === 'login' && decision === 'allow');
  expect(record).toMatchObject({ account: 'olga', groups: ['oidc:dev-team'] });
});

test.skipIf(findProgram('chromium') === undefined)(
  'in a browser: there, back, and on to where one wanted to go',
  async () => {
    await begin();
    const browser = await startBrowser();
    try {
      const context = await browser.newContext({ ignoreHTTPSErrors: true });
      const { page, heard } = await openSheet(context);
      await page.goto(`${publicUrl}/ui/logout`);
      await page.goto(`${publicUrl}/ui/?q=sandbox`);
      await page.getByRole('link', { name: 'Log in with Example SSO' }).click();
      await page.locator('input[name=account]').fill('olga');
      await page.getByRole('button', { name: 'Go on' }).click();
      await page.waitForURL(`${publicUrl}/ui/?q=sandbox`);
      expect(await page.locator('.who .me').textContent()).toBe('Logged in as olga');
      const cookies = (await context.cookies(publicUrl)).filter(({ name }) => name.startsWith('__Host-'));
      expect(cookies).toMatchObject([
        { name: '__Host-portcullis', secure: true, httpOnly: true, sameSite: 'Lax', path: '/' },
      ]);
      await page.goto(`${publicUrl}/ui/login/callback?code=x&state=y`);
      expect(await page.getByRole('alert').textContent()).toContain('Log in again');
      expect(await barriers(page)).toEqual([]);
      expect(heard).toEqual([]);
    } finally {
      await browser.close();
    }
  },
);
