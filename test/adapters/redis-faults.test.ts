/** What happens to sessions when Redis, or the way to it, fails: threats F1 to F5. Real servers, real signals, a real relay. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type RedisConnection, createRedisConnection } from '../../src/adapters/redis/connection.ts';
import { createRedisSessionStore } from '../../src/adapters/redis/session-store.ts';
import { createRedisTagLocks } from '../../src/adapters/redis/tag-locks.ts';
import type { SessionStore } from '../../src/ports.ts';
import { eventually } from '../support/eventually.ts';
import { startFaultProxy, type FaultProxy } from '../support/fault-proxy.ts';
import { waited } from '../support/loop-time.ts';
import { describeWithPrograms } from '../support/programs.ts';
import { startRedisServer, type RedisServer } from '../support/redis.ts';
import { isConnected } from '../support/redis-connections.ts';
import { hashOf, now, sessionOf, week } from './session-store.contract.ts';

const unavailable = { ok: false, reason: 'unavailable' };
const use = { now, address: undefined, userAgent: undefined };
/** A call ends after 300 ms; the rest is for a machine that does other things too. */
const patienceMs = 800;
const recoveryMs = 5000;

describeWithPrograms(['redis-server'], 'sessions when Redis fails', () => {
  let server: RedisServer;
  let proxy: FaultProxy;
  let connection: RedisConnection;
  let store: SessionStore;
  const unhandled: unknown[] = [];
  const note = (error: unknown): void => void unhandled.push(error);

  beforeAll(() => {
    process.on('unhandledRejection', note);
    process.on('uncaughtExceptionMonitor', note);
  });
  afterAll(() => {
    process.off('unhandledRejection', note);
    process.off('uncaughtExceptionMonitor', note);
  });
  beforeEach(async () => {
    server = await startRedisServer();
    proxy = await startFaultProxy(server.port);
    connection = createRedisConnection(`redis://127.0.0.1:${proxy.port}/0`);
    store = createRedisSessionStore(connection, { revocationMemorySeconds: 900 });
    expect(await isConnected(connection, 5000)).toBe(true);
  });
  afterEach(async () => {
    await store.close();
    await connection.close();
    await proxy.close();
    await server.stop();
    expect(unhandled).toEqual([]);
  });

  const everyCall: readonly (readonly [string, () => Promise<unknown>])[] = [
    ['open', () => store.open(hashOf('new'), sessionOf('dana'), week)],
    ['use', () => store.use(hashOf('a'), use, week)],
    ['revoke by token', () => store.revoke({ tokenHash: hashOf('a') }, now)],
    ['revoke by account', () => store.revoke({ account: 'dana' }, now)],
    ['list', () => store.list(undefined, now)],
  ];

  /** The outcome of every call, none of which may take longer than the promise. */
  async function callAll(): Promise<void> {
    for (const [name, call] of everyCall) {
      const { value: outcome, ms } = await waited(call);
      expect({ name, outcome }).toEqual({ name, outcome: unavailable });
      expect(ms).toBeLessThan(patienceMs);
    }
  }

  const recovered = (what: string): Promise<number> =>
    eventually(what, async () => (await store.open(hashOf('again'), sessionOf('dana'), week)).ok, recoveryMs);

  test('killed: every call is unavailable at once, never unknown, and works again within 5 seconds of its return', async () => {
    await store.open(hashOf('a'), sessionOf('dana'), week);
    await server.kill();
    for (let round = 0; round < 4; round += 1) await callAll();
    expect(store.health().ok).toBe(false);
    await server.restart();
    await recovered('sessions are opened again');
    expect(store.health().ok).toBe(true);
  });

  test('killed while calls are under way: each ends, and none of them twice', async () => {
    const outcomes = Promise.all(
      Array.from({ length: 200 }, (_, number) => store.open(hashOf(`${number}`), sessionOf('dana'), week)),
    );
    await server.kill();
    for (const outcome of await outcomes) if (!outcome.ok) expect(outcome).toEqual(unavailable);
  });

  test('killed: what was revoked before, and by id meanwhile, stays revoked here, and Redis is told on its return', async () => {
    const session = sessionOf('dana');
    await store.open(hashOf('a'), session, week);
    await store.revoke({ tokenHash: hashOf('a') }, now);
    await server.kill();
    expect(await store.revoke({ id: 'meanwhile' }, now)).toEqual(unavailable);
    expect(store.isRevoked(session.id)).toBe(true);
    expect(store.isRevoked('meanwhile')).toBe(true);
    await server.restart();
    const fresh = createRedisConnection(server.url);
    const other = createRedisSessionStore(fresh, { revocationMemorySeconds: 900 });
    await eventually(
      'a gateway without memory knows both',
      () => other.isRevoked(session.id) && other.isRevoked('meanwhile'),
      recoveryMs,
    );
    await other.close();
    await fresh.close();
  });

  test('stopped (it accepts and says nothing): 200 calls end in time, nothing piles up, and all is well after', async () => {
    await store.open(hashOf('a'), sessionOf('dana'), week);
    await server.pause();
    const took: number[] = [];
    const timed = async (): Promise<void> => {
      const { value, ms } = await waited(() => store.use(hashOf('a'), use, week));
      expect(value).toEqual(unavailable);
      took.push(ms);
    };
    await Promise.all(Array.from({ length: 100 }, timed));
    for (let call = 0; call < 100; call += 1) await timed();
    took.sort((a, b) => a - b);
    expect(took[Math.floor(took.length * 0.99)]).toBeLessThan(patienceMs);
    // After the breaker opened, most calls did not wait at all.
    expect(took.filter((ms) => ms < 50).length).toBeGreaterThan(80);
    expect(store.health().ok).toBe(false);
    // It goes on until the silent connection is left, and new ones are silent too.
    await eventually('the silent connection is left', () => !connection.isReady(), 3000);
    const stoppedUntil = performance.now() + 1500;
    await eventually('more than a second of it', async () => (await timed(), performance.now() > stoppedUntil));
    expect(Math.max(...took)).toBeLessThan(patienceMs);
    server.resume();
    await eventually('sessions are found again', async () => (await store.use(hashOf('a'), use, week)).ok, recoveryMs);
    expect(await store.list(undefined, now)).toMatchObject({ ok: true, sessions: [{ account: 'dana' }] });
  });

  test('behind a link that went silent: unavailable in time, well again within 5 seconds of its return', async () => {
    await store.open(hashOf('a'), sessionOf('dana'), week);
    proxy.freeze();
    for (let round = 0; round < 3; round += 1) await callAll();
    proxy.pass();
    await recovered('sessions are opened again');
  });

  test('slow by 200 ms: everything works', async () => {
    proxy.pass(100);
    // Asked again where the machine itself takes what is left of the 300 ms.
    await eventually('open', async () => (await store.open(hashOf('a'), sessionOf('dana'), week)).ok);
    await eventually('use', async () => (await store.use(hashOf('a'), use, week)).ok);
    await eventually('list', async () => {
      const listed = await store.list('dana', now);
      return listed.ok && listed.sessions[0]?.account === 'dana';
    });
    await eventually('revoke', async () => (await store.revoke({ account: 'dana' }, now)).ok);
    expect(await server.admin.exists(`portcullis:{sessions}:token:${hashOf('a')}`)).toBe(0);
  });

  test('slow and cut every other two seconds: no storm of connections, and never a wrong answer', async () => {
    await store.open(hashOf('a'), sessionOf('dana'), week);
    const acceptedBefore = proxy.accepted();
    const begun = performance.now();
    const outcomes = { live: 0, unavailable: 0, unknown: 0 };
    let isUp = true;
    proxy.pass(100);
    const flap = setInterval(() => {
      isUp = !isUp;
      if (isUp) proxy.pass(100);
      else proxy.cut();
    }, 2000);
    await eventually('six seconds of it, and an answer', async () => {
      const outcome = await store.use(hashOf('a'), use, week);
      outcomes[outcome.ok ? 'live' : outcome.reason] += 1;
      return performance.now() - begun > 6000 && outcomes.live > 0;
    });
    clearInterval(flap);
    const perSecond = (proxy.accepted() - acceptedBefore) / ((performance.now() - begun) / 1000);
    expect(perSecond).toBeLessThanOrEqual(2);
    expect(outcomes.unknown).toBe(0);
    proxy.pass();
    await recovered('sessions are opened again');
  });

  describe('its answer lost after it did what it was asked', () => {
    test('open: unavailable, and there is one session, not two', async () => {
      const lost = proxy.loseReplyTo(hashOf('a'));
      expect(await store.open(hashOf('a'), sessionOf('dana'), week)).toEqual(unavailable);
      await lost;
      await eventually('the connection is back', () => isConnected(connection, recoveryMs));
      expect(await server.admin.hget(`portcullis:{sessions}:token:${hashOf('a')}`, 'account')).toBe('dana');
      expect(await server.admin.zcard('portcullis:{sessions}:all')).toBe(1);
      expect(await opened()).toBe(1);
    });

    test('use: unavailable, not unknown, and the session lives', async () => {
      await store.open(hashOf('a'), sessionOf('dana'), week);
      const lost = proxy.loseReplyTo(hashOf('a'));
      expect(await store.use(hashOf('a'), use, week)).toEqual(unavailable);
      await lost;
      await isConnected(connection, recoveryMs);
      expect(await store.use(hashOf('a'), use, week)).toMatchObject({ ok: true, session: { account: 'dana' } });
    });

    test('revoke: unavailable, and asked again it is revoked everywhere', async () => {
      const session = sessionOf('dana');
      await store.open(hashOf('a'), session, week);
      const lost = proxy.loseReplyTo(hashOf('a'));
      expect(await store.revoke({ tokenHash: hashOf('a') }, now)).toEqual(unavailable);
      await lost;
      await isConnected(connection, recoveryMs);
      expect(await store.revoke({ tokenHash: hashOf('a') }, now)).toEqual({ ok: true, ended: [] });
      await eventually('it is known to be revoked', () => store.isRevoked(session.id), recoveryMs);
      expect(await store.use(hashOf('a'), use, week)).toEqual({ ok: false, reason: 'unknown' });
    });

    test('a tag lock: unavailable, the task does not run, and the lease ends it', async () => {
      const locks = createRedisTagLocks(connection, { leaseMs: 1000 });
      let ran = false;
      const lost = proxy.loseReplyTo('{tags:');
      expect(await locks.withTags('team/app', ['v1'], 3000, () => Promise.resolve((ran = true)))).toEqual(unavailable);
      await lost;
      expect(ran).toBe(false);
      await isConnected(connection, recoveryMs);
      expect(await locks.withTags('team/app', ['v1'], 3000, () => Promise.resolve(1))).toEqual({ ok: true, value: 1 });
    });

    /** How often the script that writes a session's hash ran. */
    async function opened(): Promise<number> {
      return Number(/cmdstat_hset:calls=(\d+)/.exec(await server.admin.info('commandstats'))?.[1] ?? 0);
    }
  });
});
