import request from 'supertest';
import { beforeEach, describe, expect, test } from 'vitest';
import { createMemoryFailedLogins } from '../../src/adapters/memory/failed-logins.ts';
import { createMinutes } from '../../src/adapters/memory/minutes.ts';
import { createRecent } from '../../src/adapters/memory/recent.ts';
import { createMemoryPromotions } from '../../src/adapters/memory/promotions.ts';
import { createMemoryRateLimiter } from '../../src/adapters/memory/rate-limiter.ts';
import { createMemorySessionStore } from '../../src/adapters/memory/session-store.ts';
import { Secret } from '../../src/secret.ts';
import { createAdminListener } from '../../src/http/admin/admin.ts';
import { asking } from '../../src/operations/ask.ts';
import { type OperationParts, gatewayOperations } from '../../src/operations/table.ts';
import { createLimits } from '../../src/limits/spend.ts';
import { compilePolicy } from '../../src/policy/evaluate.ts';
import { parsePolicy } from '../../src/policy/files/parse.ts';
import type { AuditRecord, FailedLogins, RateLimiter, Session, SessionStore } from '../../src/ports.ts';
import { makeMarkedId } from '../../src/identity/marked-id.ts';
import type { Named } from '../../src/policy/model.ts';
import { promotionAt } from '../adapters/promotions.contract.ts';
import { identityOf } from '../support/identity.ts';
import { oneRegistry } from '../support/one-registry.ts';
import { anonymous, inPolicy, user } from '../support/policies.ts';

const now = Date.UTC(2026, 10, 23, 12);
const token = 'a-token-for-tests';
const hash = 'ab'.repeat(32);
const stored = `$argon2id$v=19$m=19456,t=2,p=1$${'A'.repeat(22)}$${'A'.repeat(43)}`;

function session(id: string, account: string): Session {
  return {
    id,
    account,
    service: 'registry',
    created: now,
    lastUsed: now,
    address: '192.0.2.7',
    userAgent: 'docker/29',
  };
}

function policy() {
  const text = `
users: { dana: { password: '${stored}' }, otto: { password: '${stored}' }, gone: { disabled: true } }
robots: { builder: { tokens: [{ id: abcd1234, sha256: ${hash}, expires: 2027-01-01 }] } }
limits:
  - { name: pulls, subjects: [everyone], count: pull, per: account, rate: 10/10m }
  - { name: per-image, mode: shadow, subjects: [everyone], count: pull, per: repository, rate: 60/1h, burst: 2 }
  - { name: pushes, subjects: [user:dana], count: push, per: account, rate: 1/1h }
`;
  const reading = parsePolicy([{ file: 'p.yaml', text }]);
  if (!reading.ok) throw new Error(JSON.stringify(reading.problems));
  return compilePolicy(reading.policy);
}

/** What limits and logins have counted, on a clock that stands still unless a test moves it. */
function counters() {
  const clock = { ms: 0 };
  const limiter = createMemoryRateLimiter(() => clock.ms * 1000);
  return { clock, limiter, failedLogins: createMemoryFailedLogins(() => clock.ms) };
}

interface Counters {
  readonly limiter: RateLimiter;
  readonly failedLogins: FailedLogins;
}

const promotions = createMemoryPromotions(() => now);

function listen(sessions: SessionStore, records: AuditRecord[] = [], { limiter, failedLogins }: Counters = counters()) {
  let reloads = 0;
  return createAdminListener({
    readiness: () => [],
    hostName: 'here',
    metrics: () => '',
    onError: (error) => {
      throw error;
    },
    api: adminApi({
      identity: identityOf({ policies: { current: policy }, sessions, clock: () => now }),
      sessions,
      limits: createLimits(limiter),
      limiter,
      failedLogins,
      promotions,
      robotUses: { lastUsed: () => Promise.resolve(new Map([['abcd1234', now]])) },
      keys: {
        signingKey: () => {
          throw new Error('not asked for');
        },
        keys: () => [],
      },
      policy: () => ({ compiled: policy(), revision: `r${reloads}` }),
      policies: { current: policy },
      policyFiles: {
        loaded: () => ({ compiled: policy(), revision: `r${reloads}`, testsPassed: 0, files: [] }),
        problems: () => [{ file: 'p.yaml', line: 3, column: 1, code: 'unknown-key', message: 'unknown key' }],
        since: () => ({ at: now, by: 'start' }),
        refused: () => undefined,
        review: () => Promise.resolve(undefined),
        reload: () => {
          reloads++;
          return Promise.resolve();
        },
      },
      audit: { record: (record) => records.push(record) },
      clock: () => now,
      recent: createRecent(() => now),
      minutes: createMinutes(),
      checks: () => [],
      doctor: { last: undefined },
      auditTrail: undefined,
      upstreams: oneRegistry,
      gateways: () => 1,
      version: '1.2.3',
    }),
  });
}

function adminApi(parts: OperationParts) {
  return { ...parts, asking: asking(gatewayOperations, parts), token: new Secret(token) };
}

describe('the admin API', () => {
  let sessions: SessionStore;
  let records: AuditRecord[];
  let server: ReturnType<typeof listen>;
  const get = (path: string) => request(server).get(path).set('authorization', `Bearer ${token}`);
  const remove = (path: string) => request(server).delete(path).set('authorization', `Bearer ${token}`);

  beforeEach(async () => {
    sessions = createMemorySessionStore({
      file: undefined,
      revocationMemorySeconds: 900,
      clock: () => now,
      onProblem: () => {},
    });
    for (const [id, account] of [
      ['one', 'dana'],
      ['two', 'dana'],
      ['three', 'otto'],
    ] as const) {
      await sessions.open(id, session(id, account), 3600);
    }
    records = [];
    server = listen(sessions, records);
  });

  for (const authorization of [undefined, 'Bearer wrong', `Basic ${token}`, `Bearer ${token}x`, 'Bearer ']) {
    test(`answers nothing to ${authorization ?? 'a call without the admin token'}`, async () => {
      const call = request(server).get('/api/v1/sessions');
      const reply = await (authorization === undefined ? call : call.set('authorization', authorization));
      expect(reply.status).toBe(401);
      expect(reply.headers['content-type']).toBe('application/problem+json');
      expect(JSON.stringify(reply.body)).not.toContain('dana');
      expect(records).toMatchObject([
        {
          event: 'access',
          decision: 'deny',
          reason: 'admin_token_needed',
          route: 'api',
          httpMethod: 'GET',
          status: 401,
        },
      ]);
    });
  }

  test('lists the sessions of one account, or all, and none that has ended although it is still stored', async () => {
    const open = async (account: string, password = stored, created = now): Promise<string> => {
      const id = makeMarkedId(password);
      await sessions.open(id, { ...session(id, account), created }, 3600);
      return id;
    };
    const [dana, otto] = [await open('dana'), await open('otto')];
    await open('dana', 'another password');
    await open('gone');
    await open('nobody');
    await open('dana', stored, now - 2000);
    sessions.endAccount('dana', now - 1000);
    const ids = async (query: string): Promise<readonly string[]> => {
      const { sessions: found } = (await get(`/api/v1/sessions${query}`)).body as { sessions: { id: string }[] };
      return found.map(({ id }) => id).toSorted();
    };
    expect(await ids('?account=dana')).toEqual([dana]);
    expect(await ids('')).toEqual([dana, otto].toSorted());
  });

  test('ends one session by its id, and says so in the audit log', async () => {
    const reply = await remove('/api/v1/sessions/one');
    expect(reply.body.ended).toMatchObject([{ id: 'one', account: 'dana' }]);
    expect(sessions.isRevoked('one')).toBe(true);
    expect(records).toMatchObject([
      { event: 'session', decision: 'allow', reason: 'revoked', account: 'dana', detail: 'one' },
      { event: 'access', route: 'api', reason: 'admin_token', detail: 'DELETE /api/v1/sessions/one', status: 200 },
    ]);
    // Whose it was says one, who ended it the other.
    expect(new Set(records.map(({ requestId }) => requestId))).toEqual(new Set([expect.any(String)]));
    expect((await remove('/api/v1/sessions/one')).status).toBe(404);
  });

  test('ends every session of an account, and asks which account', async () => {
    expect((await remove('/api/v1/sessions')).status).toBe(400);
    expect((await remove('/api/v1/sessions?account=dana')).body.ended).toHaveLength(2);
    expect(await sessions.list('dana', now)).toEqual({ ok: true, sessions: [] });
    expect(await sessions.list('otto', now)).toMatchObject({ sessions: [{ id: 'three' }] });
  });

  test('ends nothing for an account that is not there, and says so with what may have been meant', async () => {
    expect(await remove('/api/v1/sessions?account=dnaa')).toMatchObject({
      status: 404,
      body: { detail: 'there is no user "dnaa" and no live session of that name — did you mean "dana"?' },
    });
    expect(await remove('/api/v1/sessions?account=builder')).toMatchObject({
      status: 404,
      body: { detail: expect.stringContaining('portcullis token revoke builder') },
    });
  });

  test('ends nothing, and is content, for a known account that is logged in nowhere', async () => {
    expect(await remove('/api/v1/sessions?account=gone')).toMatchObject({ status: 200, body: { ended: [] } });
  });

  test('is 503 with a problem when the store does not answer, never an empty list', async () => {
    const no = () => Promise.resolve({ ok: false, reason: 'unavailable' } as const);
    server = listen({ ...sessions, list: no, revoke: no });
    expect((await get('/api/v1/sessions')).status).toBe(503);
    expect((await remove('/api/v1/sessions/one')).body).toMatchObject({ status: 503, title: 'Service Unavailable' });
  });

  test('shows robot secrets by id with their last use, never their hash', async () => {
    const reply = await get('/api/v1/robot-tokens');
    expect(reply.body).toEqual({
      tokens: [
        { robot: 'builder', id: 'abcd1234', expires: '2027-01-01T00:00:00.000Z', lastUsed: '2026-11-23T12:00:00.000Z' },
      ],
    });
    expect(reply.text).not.toContain(hash);
  });

  test('shows the policy in force and what is wrong with newer files, and reads them on request', async () => {
    const seen = { rules: 0, problems: [{ file: 'p.yaml', line: 3, message: 'unknown key' }] };
    expect((await get('/api/v1/policy')).body).toMatchObject({ revision: 'r0', ...seen });
    const reloaded = await request(server).post('/api/v1/policy/reload').set('authorization', `Bearer ${token}`);
    expect(reloaded.body).toMatchObject({ revision: 'r1', ...seen });
  });

  describe('of limits', () => {
    let counted: ReturnType<typeof counters>;
    const list = async () => (await get('/api/v1/limits')).body as { limits: unknown[]; logins: unknown[] };
    const state = async (query: string) => (await get(`/api/v1/limits/state?${query}`)).body as { limits: unknown[] };

    beforeEach(() => {
      counted = counters();
      server = listen(sessions, records, counted);
    });

    async function pull(who: Named, times: number, repository = 'sandbox/app'): Promise<void> {
      const limits = createLimits(counted.limiter);
      for (let time = 0; time < times; time++) {
        await limits.spend(policy(), 'pull', {
          principal: inPolicy(policy(), who),
          address: '2001:db8::7',
          repository,
        });
      }
    }

    async function fail(account: string, times: number): Promise<void> {
      for (let time = 0; time < times; time++) {
        await counted.failedLogins.fail({ account, network: '192.0.2.7', fingerprint: `${account} ${time}` });
      }
    }

    test('lists nobody while nobody is near one', async () => {
      await pull(user('dana'), 1);
      await fail('dana', 4);
      expect(await list()).toEqual({ limits: [], logins: [] });
    });

    test('lists budgets with at most a fifth left, the longest wait first, and never those with more', async () => {
      await pull(user('dana'), 8, 'a');
      await pull(anonymous, 10, 'b');
      expect(await list()).toMatchObject({
        limits: [
          { name: 'pulls', source: '2001:db8::/64', remaining: 0, waitSeconds: 60, fullSeconds: 600 },
          { name: 'per-image', source: 'a', mode: 'shadow', remaining: 0, waitSeconds: 60 },
          { name: 'per-image', source: 'b' },
          { name: 'pulls', source: 'dana', count: 'pull', per: 'account', rate: '10/10m', burst: 10, remaining: 2 },
        ],
      });
      counted.clock.ms += 60_000;
      const sources = (await list()).limits as { name: string; source: string }[];
      expect(sources.map(({ name, source }) => `${name} ${source}`)).not.toContain('pulls dana');
    });

    test('lists who failed to log in often, with what is left of the wait', async () => {
      const long = `${'x'.repeat(127)}\u001b]0;`;
      await fail(long, 8);
      counted.clock.ms += 3000;
      await fail('dana', 6);
      counted.clock.ms += 500;
      expect((await list()).logins).toEqual([
        {
          by: 'pair',
          account: long.slice(0, 128),
          network: '192.0.2.7',
          failures: 8,
          lastFailure: '2026-11-23T11:59:56.500Z',
          waitSeconds: 4.5,
        },
        { ...{ by: 'pair', account: 'dana', network: '192.0.2.7', failures: 6 }, ...when(500), waitSeconds: 1.5 },
      ]);
    });

    function when(ageMs: number): { lastFailure: string } {
      return { lastFailure: new Date(now - ageMs).toISOString() };
    }

    const away = { ok: false, reason: 'unavailable' } as const;
    const stores: readonly (readonly [what: string, broken: (whole: Counters) => Counters])[] = [
      ['limits', (all) => ({ ...all, limiter: { ...all.limiter, owing: () => Promise.resolve(away) } })],
      [
        'failed logins',
        (all) => ({ ...all, failedLogins: { ...all.failedLogins, worst: () => Promise.resolve(away) } }),
      ],
    ];
    test.each(stores)('is 503 when the store of %s is away, never an empty list', async (_what, broken) => {
      server = listen(sessions, records, broken(counted));
      expect((await get('/api/v1/limits')).body).toMatchObject({ status: 503, detail: expect.any(String) as string });
    });

    test('says what is left for one request, and counts nothing', async () => {
      await pull(user('dana'), 1);
      const query = 'subject=user:dana&count=pull&repository=sandbox/app&address=192.0.2.7';
      const answer = {
        subject: 'user:dana',
        limits: [
          {
            ...{ name: 'per-image', mode: 'shadow', count: 'pull', per: 'repository', rate: '60/1h', burst: 2 },
            ...{ source: 'sandbox/app', remaining: 1, waitSeconds: 0, fullSeconds: 60 },
          },
          {
            ...{ name: 'pulls', mode: 'enforce', count: 'pull', per: 'account', rate: '10/10m', burst: 10 },
            ...{ source: 'dana', remaining: 9, waitSeconds: 0, fullSeconds: 60 },
          },
        ],
      };
      expect(await state(query)).toEqual(answer);
      expect(await state(query)).toEqual(answer);
    });

    test('leaves out the state of a budget that the question does not name', async () => {
      const { limits } = await state('subject=anonymous&count=pull');
      expect(limits).toEqual([
        { name: 'per-image', mode: 'shadow', count: 'pull', per: 'repository', rate: '60/1h', burst: 2 },
        { name: 'pulls', mode: 'enforce', count: 'pull', per: 'account', rate: '10/10m', burst: 10 },
      ]);
      const known = await state('subject=anonymous&count=pull&address=2001:db8::1');
      expect(known.limits[1]).toMatchObject({ source: '2001:db8::/64', remaining: 10 });
    });

    test('lists no limit that is not about the request', async () => {
      expect((await state('subject=robot:builder&count=push')).limits).toEqual([]);
      expect((await state('subject=user:dana&count=token')).limits).toEqual([]);
    });

    for (const [query, status, said] of [
      ['subject=user:dana', 400, 'count: expected pull, push or token'],
      ['subject=user:dana&count=delete', 400, 'count: expected pull, push or token'],
      ['count=pull', 400, 'subject: expected'],
      ['subject=dana&count=pull', 400, 'subject: expected'],
      ['subject=everyone&count=pull', 400, 'subject: expected'],
      ['subject=user:nobody&count=pull', 404, 'unknown to the policy'],
      ['subject=user:gone&count=pull', 404, 'or disabled there'],
    ] as const) {
      test(`answers a question with ${query} with ${status}`, async () => {
        const reply = await get(`/api/v1/limits/state?${query}`);
        expect(reply.status).toBe(status);
        expect((reply.body as { detail: string }).detail).toContain(said);
      });
    }
  });

  test('describes each of its operations in an OpenAPI document, and nothing that is not there', async () => {
    const { body } = await get('/api/v1/openapi.json');
    expect(body).toMatchObject({ openapi: '3.1.0', info: { version: '1.2.3' } });
    const paths = body.paths as Record<string, Record<string, { summary: string; responses: Record<string, unknown> }>>;
    for (const [path, operations] of Object.entries(paths)) {
      for (const [method, operation] of Object.entries(operations)) {
        expect(operation.summary).not.toBe('');
        expect(operation.responses['200']).toBeDefined();
        const call = request(server)
          [method as 'get'](path.replace('{id}', 'nobody'))
          .set('authorization', `Bearer ${token}`);
        // Not 404 "no such operation": the document's paths are routes.
        if (path !== '/api/v1/keys') expect((await call).body.detail ?? '').not.toContain('openapi.json');
      }
    }
  });

  test('shows promotions, whole, to who has the admin token, and makes none', async () => {
    await promotions.record(promotionAt(now, 'one', { reason: 'CHG-1' }));
    await promotions.record(promotionAt(now - 1000, 'two', { target: { repository: 'release/web', reference: 'v2' } }));
    const { body } = await get('/api/v1/promotions?repository=release/app');
    expect(body).toMatchObject({
      promotions: [
        { id: 'one', account: 'rita', reason: 'CHG-1', source: 'integration/app:1.0', target: 'release/app:v1.0' },
      ],
    });
    expect((await get('/api/v1/promotions')).body).toMatchObject({ promotions: [{ id: 'one' }, { id: 'two' }] });
    expect((await get('/api/v1/promotions?limt=3')).status).toBe(400);
    expect((await get('/api/v1/promotions/two')).body).toMatchObject({ target: 'release/web:v2' });
    expect((await get('/api/v1/promotions/three')).status).toBe(404);
    const posted = await request(server).post('/api/v1/promotions').set('authorization', `Bearer ${token}`);
    expect(posted.status).toBe(405);
  });

  for (const [method, path, status] of [
    ['get', '/api/v1/nothing', 404],
    ['get', '/api/v2/sessions', 404],
    ['post', '/api/v1/sessions', 405],
    ['get', '/api/v1/sessions/../keys', 404],
    ['delete', '/api/v1/sessions/a%2fb', 404],
  ] as const) {
    test(`${method.toUpperCase()} ${path} is ${status}`, async () => {
      const reply = await request(server)[method](path).set('authorization', `Bearer ${token}`);
      expect(reply.status).toBe(status);
    });
  }
});
