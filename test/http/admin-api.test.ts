import request from 'supertest';
import { beforeEach, describe, expect, test } from 'vitest';
import { createMemorySessionStore } from '../../src/adapters/memory/session-store.ts';
import { Secret } from '../../src/config/secret.ts';
import { createAdminListener } from '../../src/http/admin.ts';
import { compilePolicy } from '../../src/policy/evaluate.ts';
import { parsePolicy } from '../../src/policy/parse.ts';
import type { AuditRecord, Session, SessionStore } from '../../src/ports.ts';

const now = Date.UTC(2026, 10, 23, 12);
const token = 'a-token-for-tests';
const hash = 'ab'.repeat(32);

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
  const text = `robots: { builder: { tokens: [{ id: abcd1234, sha256: ${hash}, expires: 2027-01-01 }] } }`;
  const reading = parsePolicy([{ file: 'p.yaml', text }]);
  if (!reading.ok) throw new Error(JSON.stringify(reading.problems));
  return compilePolicy(reading.policy);
}

function listen(sessions: SessionStore, records: AuditRecord[] = []) {
  let reloads = 0;
  return createAdminListener({
    readiness: () => [],
    metrics: () => '',
    onError: (error) => {
      throw error;
    },
    api: {
      sessions,
      robotUses: { mark: () => {}, lastUsed: () => Promise.resolve(new Map([['abcd1234', now]])) },
      keys: {
        signingKey: () => {
          throw new Error('not asked for');
        },
        keys: () => [],
      },
      policy: () => ({ compiled: policy(), revision: `r${reloads}` }),
      policyProblems: () => [{ file: 'p.yaml', line: 3, message: 'unknown key' }],
      reloadPolicy: () => {
        reloads++;
        return Promise.resolve();
      },
      audit: { record: (record) => records.push(record) },
      clock: () => now,
      token: new Secret(token),
      version: '1.2.3',
    },
  });
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
    });
  }

  test('lists the sessions of one account, or all', async () => {
    expect((await get('/api/v1/sessions?account=dana')).body.sessions).toHaveLength(2);
    const all = (await get('/api/v1/sessions')).body.sessions as { id: string }[];
    expect(all.map(({ id }) => id).toSorted()).toEqual(['one', 'three', 'two']);
  });

  test('ends one session by its id, and says so in the audit log', async () => {
    const reply = await remove('/api/v1/sessions/one');
    expect(reply.body.ended).toMatchObject([{ id: 'one', account: 'dana' }]);
    expect(sessions.isRevoked('one')).toBe(true);
    expect(records).toMatchObject([
      { event: 'session', decision: 'allow', reason: 'revoked', account: 'dana', detail: 'one' },
    ]);
    expect((await remove('/api/v1/sessions/one')).status).toBe(404);
  });

  test('ends every session of an account, and asks which account', async () => {
    expect((await remove('/api/v1/sessions')).status).toBe(400);
    expect((await remove('/api/v1/sessions?account=dana')).body.ended).toHaveLength(2);
    expect((await get('/api/v1/sessions')).body.sessions).toHaveLength(1);
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
    expect((await get('/api/v1/policy')).body).toEqual({ revision: 'r0', ...seen });
    const reloaded = await request(server).post('/api/v1/policy/reload').set('authorization', `Bearer ${token}`);
    expect(reloaded.body).toEqual({ revision: 'r1', ...seen });
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
