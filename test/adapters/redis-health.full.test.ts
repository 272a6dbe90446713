/** Redis that is connected and refuses: said with its own words, at the start as later. A real server. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type RedisConnection, createRedisConnection } from '../../src/adapters/redis/connection.ts';
import type { RedisHealth } from '../../src/adapters/redis/connection-health.ts';
import { followHealth } from '../../src/adapters/redis/health.ts';
import { createRedisSessionStore } from '../../src/adapters/redis/session-store.ts';
import { eventually } from '../support/eventually.ts';
import { describeWithPrograms } from '../support/programs.ts';
import { type RedisServer, startRedisServer } from '../support/redis.ts';
import { projectDir } from '../support/trial.ts';
import { isConnected } from '../support/redis-connections.ts';
import { hashOf, sessionOf, week } from './session-store.contract.ts';

const page = 'docs/operations.md';
const rights = ['on', '>secret', '~portcullis:*', '&portcullis:*', '+@read', '+@write', '+@connection', '+@scripting'];
const more = ['+time', '+publish', '+subscribe', '+info', '+wait', '+cluster', '-@dangerous', '+info'];

describeWithPrograms(['redis-server'], 'the health of Redis', () => {
  let server: RedisServer;
  let reports: RedisHealth[];
  let open: (() => Promise<void>)[];
  let looks = 0;
  beforeEach(async () => {
    server = await startRedisServer({ settings: ['--enable-protected-configs', 'yes'] });
    reports = [];
    open = [];
  });
  afterEach(async () => {
    for (const close of open) await close();
    await server.stop();
  });

  function connect(credentials = ''): RedisConnection {
    const connection = createRedisConnection(`redis://${credentials}127.0.0.1:${server.port}/0`, {
      onHealth: (health) => void reports.push(health),
    });
    const calls = connection.calls();
    const run: typeof calls.run = async (...call) => {
      const answer = await calls.run(...call);
      looks++;
      return answer;
    };
    const stop = followHealth({ ...connection, calls: () => ({ ...calls, run }) });
    open.push(async () => {
      stop();
      await connection.close();
    });
    return connection;
  }
  async function lookedAgain(): Promise<void> {
    const before = looks;
    await eventually('it has looked again', () => looks > before);
  }
  const broken = (connection: RedisConnection, reason: RegExp): Promise<number> =>
    eventually(`health says ${String(reason)}`, () => {
      const { ok, detail } = connection.health();
      return !ok && reason.test(detail);
    });
  const wellAgain = (connection: RedisConnection): Promise<number> =>
    eventually('health is well again', () => connection.health().ok && reports.at(-1)?.ok === true, 10_000);

  const set = (name: string, value: string): Promise<unknown> => server.admin.config('SET', name, value);
  const causes: readonly (readonly [
    string,
    RegExp,
    (server: RedisServer) => Promise<unknown>,
    () => Promise<unknown>,
  ])[] = [
    [
      'is a replica that takes no writes',
      /READONLY|read only replica/,
      () => server.admin.call('REPLICAOF', '127.0.0.1', '1'),
      () => server.admin.call('REPLICAOF', 'NO', 'ONE'),
    ],
    ['has no memory left', /OOM/, () => set('maxmemory', '1'), () => set('maxmemory', '0')],
    [
      'takes no writes because it could not save',
      /MISCONF/,
      async () => {
        await set('dir', '/proc');
        await set('save', '1 1');
        await server.admin.set('something', 'to save');
        await server.admin.call('BGSAVE').catch(() => undefined);
        await eventually('the save has failed', async () =>
          (await server.admin.info('persistence')).includes('rdb_last_bgsave_status:err'),
        );
      },
      () => set('stop-writes-on-bgsave-error', 'no'),
    ],
  ];

  test.each(causes)(
    'a server that %s is not well, with its words, and reported once',
    async (_, reason, begin, end) => {
      const connection = connect();
      expect(await isConnected(connection, 5000)).toBe(true);
      await begin(server);
      await broken(connection, reason);
      // Nobody has to log in for it to be seen, and it stays so from one look to the next.
      await lookedAgain();
      expect(reports).toEqual([{ ok: false, detail: expect.stringMatching(reason) as unknown }]);
      await end();
      await wellAgain(connection);
      expect(reports.map(({ ok }) => ok)).toEqual([false, true]);
    },
  );

  test.each([
    ['a wrong password', 'gate:wrong@', /WRONGPASS/],
    ['no password', '', /NOAUTH/],
  ])('%s is said at the start, and once', async (_, credentials, reason) => {
    await server.admin.call('ACL', 'SETUSER', 'gate', ...rights, ...more);
    await server.admin.call('ACL', 'SETUSER', 'root', 'on', '>root', '~*', '&*', '+@all');
    const root = new Redis(server.port, '127.0.0.1', { username: 'root', password: 'root' });
    await root.call('ACL', 'SETUSER', 'default', 'resetpass', '>other');
    const connection = connect(credentials);
    await broken(connection, reason);
    await eventually('it is reported', () => reports.length > 0);
    await lookedAgain();
    expect(connection.health().detail).toMatch(reason);
    expect(reports).toEqual([{ ok: false, detail: expect.stringMatching(reason) as unknown }]);
    root.disconnect();
  });

  test(`the rights that ${page} names are enough`, async () => {
    expect(readFileSync(join(projectDir, page), 'utf8')).toContain([...rights.slice(2), ...more].join(' '));
    await server.admin.call('ACL', 'SETUSER', 'gate', ...rights, ...more);
    const connection = connect('gate:secret@');
    expect(await isConnected(connection, 5000)).toBe(true);
    const store = createRedisSessionStore(connection, { revocationMemorySeconds: 900 });
    expect(await store.open(hashOf('a'), sessionOf('dana'), week)).toEqual({ ok: true });
    expect(await store.revoke({ account: 'dana' }, 0)).toMatchObject({ ok: true });
    await store.close();
    expect(connection.health()).toEqual({ ok: true, detail: 'connected (single)' });
    expect(reports).toEqual([]);
    expect(await server.admin.call('ACL', 'LOG')).toEqual([]);
  });

  test.each([
    ['one command', ['-zadd'], ['+zadd'], /run this command|zadd/],
    ['its keys', ['resetkeys', '~other:*'], ['~portcullis:*'], /NOPERM|permission/],
  ])(
    'an account of Redis without the right to %s is not well before anybody logs in',
    async (_, take, give, reason) => {
      await server.admin.call('ACL', 'SETUSER', 'gate', ...rights, ...more, ...take);
      const connection = connect('gate:secret@');
      await broken(connection, reason);
      await eventually('it is reported', () => reports.length === 1);
      await server.admin.call('ACL', 'SETUSER', 'gate', ...give);
      await wellAgain(connection);
      expect(reports.map(({ ok }) => ok)).toEqual([false, true]);
    },
  );
});
