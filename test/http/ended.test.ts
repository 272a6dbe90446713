/** What was issued and has ended since: refused everywhere, also by one process without Redis. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { makeSecret, secretHash } from '../../src/identity/carried-secret.ts';
import { quickHash } from '../support/policies.ts';
import { type Front, service, startFront } from './support/front.ts';

const secrets = [makeSecret('robot').text, makeSecret('robot').text] as const;
const passwords = { first: 'first-CANARY-password', second: 'second-CANARY-password' };
let hashes: Readonly<Record<keyof typeof passwords, string>>;

interface People {
  /** Settings of kim, the person; undefined: nobody has the name. */
  readonly kim?: string | undefined;
  /** Entries of the robot's `tokens:`. */
  readonly tokens?: string;
  readonly robot?: string;
}

const first = `{ id: abcd1234, sha256: ${secretHash(secrets[0])} }`;

function policy({ kim, tokens = first, robot = '' }: People): string {
  return `
${kim === undefined ? '' : `users: { kim: { ${kim} } }`}
robots: { builder: { ${robot} tokens: [${tokens}] } }
rules: [{ name: all, subjects: [authenticated], repositories: ['**'], actions: [pull] }]
`;
}

let front: Front;
let kim: string;
beforeEach(async () => {
  hashes ??= { first: await quickHash(passwords.first), second: await quickHash(passwords.second) };
  kim = `password: '${hashes.first}'`;
  front = await startFront({ rules: policy({ kim }) });
});
afterEach(() => front.close());

async function login(account: string, password: string, offline = false): Promise<{ token: string; refresh: string }> {
  const authorization = `Basic ${Buffer.from(`${account}:${password}`).toString('base64')}`;
  const reply = await fetch(`${front.url}/token?service=${service}&offline_token=${offline}`, {
    headers: { authorization },
  });
  expect(reply.status).toBe(200);
  const { token, refresh_token: refresh = '' } = (await reply.json()) as { token: string; refresh_token?: string };
  return { token, refresh };
}

const form = (path: string, fields: Readonly<Record<string, string>>): Promise<Response> =>
  fetch(front.url + path, { method: 'POST', body: new URLSearchParams(fields) });

async function ping(token: string): Promise<string> {
  const reply = await fetch(`${front.url}/v2/`, { headers: { authorization: `Bearer ${token}` } });
  const error = /error="([^"]*)"/.exec(reply.headers.get('www-authenticate') ?? '')?.[1];
  return error === undefined ? String(reply.status) : `${reply.status} ${error}`;
}

const refreshed = async (token: string): Promise<number> =>
  (await form('/token', { grant_type: 'refresh_token', refresh_token: token, service, client_id: 't' })).status;

describe('revoking an access token', () => {
  test.each([
    ['of a person without a session', 'kim', passwords.first],
    ['of a robot', 'builder', secrets[0]],
  ])('%s ends it, and no other one', async (_what, account, password) => {
    const [{ token }, { token: other }] = [await login(account, password), await login(account, password)];
    expect(await ping(token)).toBe('200');
    expect((await form('/token/revoke', { token })).status).toBe(200);
    expect(await ping(token)).toBe('401 invalid_token');
    expect(await ping(other)).toBe('200');
    expect(front.records.at(-3)).toMatchObject({ event: 'session', reason: 'revoked', account });
  });
});

describe('a changed password', () => {
  test('ends the session and every access token that the old one opened, with and without a session', async () => {
    const [plain, lasting] = [await login('kim', passwords.first), await login('kim', passwords.first, true)];
    await front.setPolicy(policy({ kim: `password: '${hashes.second}'` }));
    for (const { token } of [plain, lasting]) expect(await ping(token)).toBe('401 invalid_token');
    expect(await refreshed(lasting.refresh)).toBe(401);
    expect(await ping((await login('kim', passwords.second)).token)).toBe('200');
  });

  test('and a name with another owner are the same', async () => {
    const { token } = await login('kim', passwords.first);
    await front.setPolicy(policy({ kim: undefined }));
    expect(await ping(token)).toBe('401 invalid_token');
    await front.setPolicy(policy({ kim: `password: '${hashes.second}'` }));
    expect(await ping(token)).toBe('401 invalid_token');
  });

  test('ends the tokens of a person who can no longer log in with any', async () => {
    const { token } = await login('kim', passwords.first);
    await front.setPolicy(policy({ kim: 'groups: []' }));
    expect(await ping(token)).toBe('401 invalid_token');
  });
});

describe('an account that is disabled', () => {
  test('and enabled again has lost its sessions and tokens, and can log in', async () => {
    const { token, refresh } = await login('kim', passwords.first, true);
    await front.setPolicy(policy({ kim: `${kim}, disabled: true` }));
    expect(await ping(token)).toBe('401 invalid_token');
    await front.setPolicy(policy({ kim }));
    expect(await ping(token)).toBe('401 invalid_token');
    expect(await refreshed(refresh)).toBe(401);
    const again = await login('kim', passwords.first, true);
    expect(await ping(again.token)).toBe('200');
    expect(await refreshed(again.refresh)).toBe(200);
  });

  test('is a robot’s, too', async () => {
    const { token } = await login('builder', secrets[0]);
    await front.setPolicy(policy({ kim, robot: 'disabled: true,' }));
    expect(await ping(token)).toBe('401 invalid_token');
    await front.setPolicy(policy({ kim }));
    expect(await ping(token)).toBe('401 invalid_token');
    expect(await ping((await login('builder', secrets[0])).token)).toBe('200');
  });

  test('is not one that is absent for a while: it has its sessions and tokens again', async () => {
    const { token, refresh } = await login('kim', passwords.first, true);
    await front.setPolicy(policy({ kim: undefined }));
    expect(await ping(token)).toBe('401 invalid_token');
    expect(await refreshed(refresh)).toBe(401);
    await front.setPolicy(policy({ kim }));
    expect(await ping(token)).toBe('200');
    expect(await refreshed(refresh)).toBe(200);
  });
});

describe('validFrom', () => {
  const at = (ms: number): string => `validFrom: '${new Date(Date.now() + ms).toISOString().slice(0, 19)}Z'`;

  test('ends what was issued to an account before, and nothing later', async () => {
    const { token, refresh } = await login('kim', passwords.first, true);
    await front.setPolicy(policy({ kim: `${kim}, ${at(-60_000)}` }));
    expect(await ping(token)).toBe('200');
    // As a machine writes it whose clock is a little ahead.
    await front.setPolicy(policy({ kim: `${kim}, ${at(20_000)}` }));
    expect(await ping(token)).toBe('401 invalid_token');
    expect(await refreshed(refresh)).toBe(401);
    const again = await login('kim', passwords.first, true);
    expect(await ping(again.token)).toBe('200');
    expect(await refreshed(again.refresh)).toBe(200);
  });

  test('of a robot ends its access tokens', async () => {
    const { token } = await login('builder', secrets[0]);
    await front.setPolicy(policy({ kim, robot: `${at(2000)},` }));
    expect(await ping(token)).toBe('401 invalid_token');
  });

  test('far in the future lets nobody in', async () => {
    await front.setPolicy(policy({ kim: `${kim}, validFrom: 2999-01-01` }));
    const authorization = `Basic ${Buffer.from(`kim:${passwords.first}`).toString('base64')}`;
    expect((await fetch(`${front.url}/token?service=${service}`, { headers: { authorization } })).status).toBe(401);
  });
});

describe('the access token of a robot', () => {
  test.each([
    ['its secret was taken out', ''],
    ['its secret has expired', first.replace(' }', ', expires: 2026-01-01 }')],
    ['another secret has its id', first.replace(secretHash(secrets[0]), secretHash(secrets[1]))],
  ])('ends when %s', async (_what, tokens) => {
    const { token } = await login('builder', secrets[0]);
    await front.setPolicy(policy({ kim, tokens }));
    expect(await ping(token)).toBe('401 invalid_token');
  });
});
