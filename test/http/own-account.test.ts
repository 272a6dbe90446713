/** My account and letting a terminal in, as a browser and a terminal do it. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type GatewayHere, policy, startGatewayHere, testConfig } from '../support/gateway.ts';
import { Visitor, fieldOf } from '../support/visitor.ts';

let gateway: GatewayHere;
let dana: Visitor;
beforeEach(async () => {
  gateway = await startGatewayHere({ 'policy.yaml': policy }, (dir, policiesDir) => ({
    ...testConfig('http://127.0.0.1:9')(dir, policiesDir),
    publicUrl: 'https://registry.test',
  }));
  dana = new Visitor(gateway.url);
  await dana.logIn('dana', 'correct horse');
});
afterEach(async () => {
  expect(gateway.errors).toEqual([]);
  await gateway.close();
});

const terms = { label: 'laptop', lifetime: '7d', 'may-pull': 'on' };

/** `action`: of the form on that page. */
async function send(page: string, action: string, fields: Readonly<Record<string, string>> = {}) {
  const { body } = await dana.get(page);
  return dana.post(action, { csrf: csrfOf(body, action), ...fields });
}

function csrfOf(html: string, action: string): string {
  const form = html.slice(html.indexOf(`action="${action}"`));
  return fieldOf(form, 'csrf');
}

async function makeToken(fields: Readonly<Record<string, string>> = terms): Promise<string> {
  const made = await send('/ui/me', '/ui/me/tokens', fields);
  expect(made.status).toBe(200);
  const secret = /pct_[0-9A-Za-z]{36}/.exec(made.body)?.[0] ?? '';
  expect(made.body).toContain('docker login registry.test -u dana --password-stdin');
  return secret;
}

async function ping(secret: string, account = 'dana'): Promise<number> {
  const authorization = `Basic ${Buffer.from(`${account}:${secret}`).toString('base64')}`;
  const reply = await fetch(`${gateway.url}/v2/`, { headers: { authorization } });
  await reply.arrayBuffer();
  return reply.status;
}

function everythingWritten(): string {
  return JSON.stringify(gateway.records) + gateway.logged.join('\n');
}

describe('an access token of one’s own', () => {
  test('is made and shown once, is good at once, and ends when it is revoked', async () => {
    const secret = await makeToken({ ...terms, repositories: 'mine/**\nmine/app' });
    expect(await ping(secret)).toBe(200);
    expect(await ping(secret, 'otto')).toBe(401);
    const page = await dana.get('/ui/me');
    expect(page.body).not.toContain(secret);
    expect(page.body).toContain('laptop');
    expect(page.body).toContain('mine/** mine/app');
    const id = fieldOf(page.body.slice(page.body.indexOf('/ui/me/end-token')), 'id');
    const ended = await send('/ui/me', '/ui/me/end-token', { id });
    expect([ended.status, ended.headers.location]).toEqual([303, '/ui/me']);
    expect(await ping(secret)).toBe(401);
    expect(everythingWritten()).not.toContain(secret);
    expect(gateway.records).toContainEqual(
      expect.objectContaining({ reason: 'token_made', account: 'dana', secret: id }),
    );
    expect(gateway.records).toContainEqual(
      expect.objectContaining({ method: 'personal-token', account: 'dana', secret: id }),
    );
  });

  test('is told of no more rights than it was made for', async () => {
    const secret = await makeToken({ ...terms, repositories: 'mine/app' });
    const authorization = `Basic ${Buffer.from(`dana:${secret}`).toString('base64')}`;
    const reply = await fetch(`${gateway.url}/api/v1/me`, { headers: { authorization } });
    expect(await reply.json()).toMatchObject({
      inPerson: false,
      rights: [{ rule: 'own-area', actions: ['pull'], repositories: ['mine/app'] }],
    });
    const elsewhere = await makeToken({ ...terms, repositories: 'theirs/**' });
    const headers = { authorization: `Basic ${Buffer.from(`dana:${elsewhere}`).toString('base64')}` };
    expect(await (await fetch(`${gateway.url}/api/v1/me`, { headers })).json()).toMatchObject({ rights: [] });
  });

  test('that cannot be is not made, what was typed stays, and what was wrong is said', async () => {
    for (const [fields, says] of [
      [{ ...terms, repositories: 'Mine/<b>' }, 'lower case'],
      [{ label: 'x', lifetime: '7d' }, 'at least one action'],
      [{ ...terms, lifetime: '400d' }, 'at most 90d here'],
      [{ ...terms, label: ' ' }, 'say what it is for'],
      [{ ...terms, lifetime: 'long' }, 'expected a time'],
      [{ ...terms, lifetime: '91d' }, 'at most 90d here'],
    ] as const) {
      const refused = await send('/ui/me', '/ui/me/tokens', fields);
      expect([fields, refused.status]).toEqual([fields, 400]);
      expect(refused.body).toContain(says);
      expect(refused.body).not.toContain('Mine/<b>');
    }
  });

  test('is nothing at the page', async () => {
    const secret = await makeToken();
    const thief = new Visitor(gateway.url);
    expect((await thief.logIn('dana', secret)).status).toBe(403);
    expect((await thief.get('/ui/me')).status).toBe(303);
  });

  test('of somebody else is not ended', async () => {
    const secret = await makeToken();
    const own = await dana.get('/ui/me');
    const session = gateway.records.find(({ event, reason }) => event === 'login' && reason === 'granted');
    expect(session).toBeDefined();
    for (const id of ['somebody-elses', '', fieldOf(own.body.slice(own.body.indexOf('end-token')), 'id').toLowerCase()])
      expect([id, (await send('/ui/me', '/ui/me/end-token', { id })).status]).toEqual([id, 404]);
    expect(await ping(secret)).toBe(200);
  });
});

describe('an access token by the API', () => {
  const basic = (secret: string) => `Basic ${Buffer.from(`dana:${secret}`).toString('base64')}`;

  async function api(method: string, path: string, authorization: string, body?: unknown) {
    const headers = { authorization, ...(body === undefined ? {} : { 'content-type': 'application/json' }) };
    const sent = body === undefined ? {} : { body: JSON.stringify(body) };
    const reply = await fetch(`${gateway.url}/api/v1${path}`, { method, headers, ...sent });
    return { status: reply.status, body: (await reply.json()) as Readonly<Record<string, unknown>> };
  }

  test('by the API with the password, and by no token', async () => {
    const terms = { label: 'ci', lifetime: '30d', repositories: ['mine/**'], actions: ['pull'] };
    const made = await api('POST', '/tokens', basic('correct horse'), terms);
    expect(made).toMatchObject({
      status: 200,
      body: {
        token: { label: 'ci', repositories: ['mine/**'], actions: ['pull'] },
        login: expect.any(String) as string,
      },
    });
    const secret = String(made.body['secret']);
    const { id } = made.body['token'] as { readonly id: string };
    const issued = await fetch(`${gateway.url}/token?scope=repository:mine/app:pull`, {
      headers: { authorization: basic(secret) },
    });
    const { token, refresh_token } = (await issued.json()) as { token: string; refresh_token?: string };
    expect(refresh_token).toBeUndefined();
    const listed = await api('GET', '/tokens', basic('correct horse'));
    expect(listed.body).toMatchObject({ tokens: [{ id }] });
    expect(JSON.stringify(listed.body)).not.toContain(secret);
    for (const authorization of [basic(secret), `Bearer ${token}`])
      for (const [method, path, body] of [
        ['GET', '/tokens'],
        ['POST', '/tokens', terms],
        ['DELETE', `/tokens/${id}`],
        ['DELETE', `/sessions/${id}`],
        ['DELETE', '/sessions?account=dana'],
        ['DELETE', '/me/sessions'],
        ['GET', '/me/account'],
        ['POST', '/device-logins/look', { code: 'BCDFGHJK' }],
        ['POST', '/device-logins/answer', { code: 'BCDFGHJK', allow: true, label: 'x' }],
      ] as const)
        expect([path, (await api(method, path, authorization, body)).status]).toEqual([path, 403]);
    const rights = (await api('GET', '/me', basic(secret))).body['rights'];
    expect(rights).toEqual([expect.objectContaining({ actions: ['pull'], repositories: ['mine/**'] })]);
    expect((await api('DELETE', `/tokens/${id}`, basic('correct horse'))).status).toBe(200);
    expect(await ping(secret)).toBe(401);
    expect((await api('GET', '/me', `Bearer ${token}`)).status).toBe(401);
  });

  test('ends itself where it is posted to be revoked, and what was issued for it ends alone', async () => {
    const made = await api('POST', '/tokens', basic('correct horse'), { label: 'ci' });
    const secret = String(made.body['secret']);
    const issue = async () => {
      const reply = await fetch(`${gateway.url}/token?scope=repository:mine/app:pull`, {
        headers: { authorization: basic(secret) },
      });
      return ((await reply.json()) as { token: string }).token;
    };
    const revoke = (token: string) =>
      fetch(`${gateway.url}/token/revoke`, { method: 'POST', body: new URLSearchParams({ token }) });
    const [first, second] = [await issue(), await issue()];
    await revoke(first);
    expect((await api('GET', '/me', `Bearer ${first}`)).status).toBe(401);
    expect((await api('GET', '/me', `Bearer ${second}`)).status).toBe(200);
    expect(await ping(secret)).toBe(200);
    await revoke(secret);
    expect(await ping(secret)).toBe(401);
    expect((await api('GET', '/me', `Bearer ${second}`)).status).toBe(401);
  });
});

describe('sessions of one’s own', () => {
  test('are shown with this one marked, and ended one by one or all others', async () => {
    const others = [new Visitor(gateway.url), new Visitor(gateway.url), new Visitor(gateway.url)];
    for (const one of others) await one.logIn('dana', 'correct horse');
    const secret = await makeToken();
    const page = await dana.get('/ui/me');
    expect(page.body.match(/this one/g)).toHaveLength(1);
    const id = fieldOf(page.body.slice(page.body.indexOf('action="/ui/me/end"')), 'id');
    await send('/ui/me', '/ui/me/end', { id });
    const isIn = async (one: Visitor): Promise<boolean> => (await one.get('/ui/me')).status === 200;
    expect((await Promise.all(others.map(isIn))).filter(Boolean)).toHaveLength(2);
    expect((await send('/ui/me', '/ui/me/end-others')).status).toBe(303);
    expect(await Promise.all([...others, dana].map(isIn))).toEqual([false, false, false, true]);
    expect(await ping(secret)).toBe(200);
  });
});

describe('a terminal', () => {
  interface Begun {
    readonly device_code: string;
    readonly user_code: string;
    readonly verification_uri: string;
  }

  async function begin(): Promise<Begun> {
    const reply = await fetch(`${gateway.url}/device`, { method: 'POST', headers: { 'user-agent': 'a terminal' } });
    expect(reply.status).toBe(200);
    return (await reply.json()) as Begun;
  }

  async function poll(code: string): Promise<Readonly<Record<string, unknown>>> {
    const grant_type = 'urn:ietf:params:oauth:grant-type:device_code';
    const body = new URLSearchParams({ grant_type, device_code: code });
    const reply = await fetch(`${gateway.url}/token`, { method: 'POST', body });
    return { status: reply.status, ...((await reply.json()) as object) };
  }

  async function look(code: string) {
    return send('/ui/device', '/ui/device/look', { code });
  }

  async function answer(page: string, code: string, allow: 'yes' | 'no') {
    return dana.post('/ui/device/answer', { csrf: csrfOf(page, '/ui/device/answer'), code, allow, ...terms });
  }

  test('is let in by its person, who sees what it is, and has a token then, once', async () => {
    const begun = await begin();
    expect(begun).toMatchObject({ verification_uri: 'https://registry.test/ui/device', expires_in: 600, interval: 5 });
    expect(begun.user_code).toMatch(/^[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}$/);
    expect(await poll(begun.device_code)).toMatchObject({ status: 400, error: 'authorization_pending' });
    expect(await poll(begun.device_code)).toMatchObject({ status: 400, error: 'slow_down' });
    const found = await look(` ${begun.user_code.toLowerCase().replace('-', ' ')} `);
    expect(found.body).toContain('a terminal');
    expect(found.body).toContain('127.0.0.1');
    expect((await answer(found.body, begun.user_code, 'yes')).body).toContain('let in');
    const granted = await poll(begun.device_code);
    expect(granted).toMatchObject({ status: 200, token_type: 'N_A', account: 'dana' });
    expect(await ping(String(granted['secret']))).toBe(200);
    expect(await poll(begun.device_code)).toMatchObject({ status: 400, error: 'invalid_grant' });
    expect((await answer(found.body, begun.user_code, 'yes')).status).toBe(404);
    for (const secret of [String(granted['secret']), begun.device_code, begun.user_code])
      expect(everythingWritten()).not.toContain(secret);
    expect((await dana.get('/ui/me')).body).toContain('laptop');
  });

  test('is refused by its person, or waits for nobody', async () => {
    const begun = await begin();
    const found = await look(begun.user_code);
    expect((await answer(found.body, begun.user_code, 'no')).body).toContain('refused');
    expect(await poll(begun.device_code)).toMatchObject({ status: 400, error: 'access_denied' });
    expect(await poll('made up')).toMatchObject({ status: 400, error: 'expired_token' });
  });

  test('is answered by nobody who has not looked at it, nor without a form of ours', async () => {
    const begun = await begin();
    const other = await begin();
    const found = await look(other.user_code);
    expect((await answer(found.body, begun.user_code, 'yes')).status).toBe(404);
    const forged = await dana.post('/ui/device/answer', { csrf: 'x', code: other.user_code, allow: 'yes', ...terms });
    expect(forged.status).toBe(403);
    const site = { 'sec-fetch-site': 'same-site' };
    const csrf = csrfOf(found.body, '/ui/device/answer');
    expect(
      (await dana.post('/ui/device/answer', { csrf, code: other.user_code, allow: 'yes', ...terms }, site)).status,
    ).toBe(403);
    expect(await poll(other.device_code)).toMatchObject({ error: 'authorization_pending' });
  });

  test('is not found by trying: after ten codes there is a pause, also for the right one', async () => {
    const begun = await begin();
    for (let guess = 0; guess < 10; guess++) expect((await look('BBBB-BBBB')).status).toBe(404);
    const right = await look(begun.user_code);
    expect(right.status).toBe(403);
    expect(right.body).toContain('too many codes');
  });

  test('cannot be begun without end from one network', async () => {
    for (let time = 0; time < 20; time++) await begin();
    const reply = await fetch(`${gateway.url}/device`, { method: 'POST' });
    expect(reply.status).toBe(429);
    expect(Number(reply.headers.get('retry-after'))).toBeGreaterThan(0);
  });

  test('its page is for people who are logged in', async () => {
    const nobody = new Visitor(gateway.url);
    const sent = await nobody.get('/ui/device');
    expect([sent.status, sent.headers.location]).toEqual([303, '/ui/login?next=%2Fui%2Fdevice']);
  });
});
