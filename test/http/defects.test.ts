import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { manifestBudget } from '../../src/http/front/manifest-body.ts';
import { connectionBounds } from '../../src/limits/connection-shares.ts';
import { createMemoryBudget } from '../../src/limits/memory-budget.ts';
import { GateMemory } from '../../src/gate/gate-memory.ts';
import { KnownParts } from '../../src/gate/known-parts.ts';
import { createListener } from '../../src/http/listener.ts';
import type { AuditRecord } from '../../src/ports.ts';
import { createAccessTokens } from '../../src/token/access-token.ts';
import { createListCursors } from '../../src/sealed/list-cursor.ts';
import { createTokenService } from '../../src/token/service.ts';
import { createUploadTickets } from '../../src/sealed/upload-ticket.ts';
import { ok, startRawRegistry } from '../support/stand-in.ts';
import { identityOf } from '../support/identity.ts';
import { makeKey, ringOf } from '../support/keys.ts';
import { compile, quickHash } from '../support/policies.ts';
import { noLimits, noSessions, nothingAsked, oneRegistry } from '../support/ports.ts';
import { backendAt } from '../support/backend.ts';
import { basic } from '../support/trial.ts';

test('a request that meets a defect is answered 500 and logged, and the next one is served', async () => {
  const registry = await startRawRegistry();
  onTestFinished(() => registry.close());
  registry.answer({ onRequest: ok });
  const keys = ringOf(await makeKey());
  const tokens = createAccessTokens({ keys, issuer: 'http://r.test', service: 'r.test', ttlSeconds: 300 });
  const policy = compile(
    `users: { dana: { password: '${await quickHash('secret')}' } }`,
    `rules: [{ name: own, subjects: ['user:dana'], repositories: ['mine/**'], actions: [pull] }]`,
  );
  let isBroken = true;
  const policies = {
    current() {
      if (isBroken) throw new Error('a defect of the test');
      return policy;
    },
  };
  const records: AuditRecord[] = [];
  const errors: unknown[] = [];
  const never = (): never => {
    throw new Error('not asked here');
  };
  const publicUrl = 'http://r.test';
  const behind = backendAt(registry.url, { publicUrl });
  const login = { tokens, sessions: noSessions, clock: Date.now, service: 'r.test', refreshTtlSeconds: 60 };
  const identity = identityOf({ ...login, policies });
  const { server } = createListener({
    issuer: {
      ...login,
      tokenService: createTokenService({ ...login, identity, limits: noLimits }),
      keys,
    },
    gate: {
      identity,
      policies,
      clock: Date.now,
      limits: noLimits,
      tagLocks: { withTags: never },
      knownParts: new KnownParts(),
      gates: { memory: new GateMemory(), count: () => {} },
      tickets: createUploadTickets(keys),
      cursors: createListCursors(keys),
      manifestMemory: createMemoryBudget(manifestBudget),
      idleMs: 5000,
    },
    backend: {
      ...behind,
      ask: {
        repositories: never,
        resolveTag: never,
        manifest: never,
        hasManifest: never,
        openBlob: never,
        referrers: never,
        tags: never,
      },
    },
    upstreams: oneRegistry,
    catalog: { repositories: never },
    seen: { written: never, deleted: never, pulled() {}, resolved() {}, contentWritten: never },
    promotions: { record: never, find: never, latest: never },
    api: { asking: nothingAsked, version: '1.2.3', showsAnonymous: false },
    front: {
      publicUrl,
      service: 'r.test',
      audit: { record: (record) => void records.push(record) },
      clock: Date.now,
      trustedProxies: [],
      connectionBounds: connectionBounds(),
      isDraining: () => false,
      onBegun: () => {},
      onAnswered: () => {},
      onUnreadableForwarding: never,
      onError: (error) => void errors.push(error),
    },
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
    behind.close();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const headers = { authorization: basic('dana', 'secret'), 'user-agent': 'x' };
  for (const path of ['/v2/mine/app/manifests/1', '/token']) {
    isBroken = true;
    const failed = await fetch(url + path, { headers });
    expect([failed.status, await failed.text()]).toEqual([500, expect.stringContaining('UNKNOWN')]);
    expect(records.at(-1)).toMatchObject({ decision: 'error', reason: 'internal_error', status: 500 });
    isBroken = false;
    expect((await fetch(url + path, { headers })).status).toBe(200);
  }
  expect(errors.map(String)).toEqual(Array(2).fill('Error: a defect of the test'));
});
