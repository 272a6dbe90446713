/** What `doctor` says of facts that no test can make here: versions, ends of life, mounts of Kubernetes. */
import { describe, expect, test } from 'vitest';
import { frozenMount } from '../../src/adapters/kernel/mounts.ts';
import { readListeners } from '../../src/adapters/kernel/listeners.ts';
import { readMemoryLimit } from '../../src/adapters/kernel/memory-limit.ts';
import { createMachine } from '../../src/adapters/probes/machine.ts';
import { readReplicas } from '../../src/adapters/redis/replicas.ts';
import { allChecks } from '../../src/doctor/checks.ts';
import type { Check } from '../../src/doctor/check.ts';
import type { Context } from '../../src/doctor/context.ts';
import { type AuditTerms, judgeAuditRoom } from '../../src/doctor/audit-room.ts';
import { judgeNode } from '../../src/doctor/program.ts';
import { isPublicAddress } from '../../src/doctor/public-address.ts';
import { judgeReplicas } from '../../src/doctor/replicas.ts';
import { runChecks } from '../../src/doctor/run.ts';
import { judgeRedis } from '../../src/doctor/store.ts';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

test('there are 28 checks, numbered from 1 on', () => {
  expect(allChecks.map(({ number }) => number)).toEqual(Array.from({ length: 28 }, (_, at) => at + 1));
});

test('1: a Node.js that is too old fails, one without fixes or of an odd number warns', () => {
  const now = Date.parse('2026-11-01T00:00:00Z');
  const states = ['18.20.0', '20.18.9', '20.19.0', '21.7.0', '22.0.0', '24.1.0', '28.0.0'].map(
    (version) => judgeNode(version, now).state,
  );
  expect(states).toEqual(['FAIL', 'FAIL', 'warn', 'warn', 'ok', 'ok', 'ok']);
  expect(judgeNode('20.19.0', now).fix).toContain('24');
});

test('5: a mounted file and a subPath never see an edit; a mounted directory does', () => {
  const row = (root: string, at: string): string =>
    `36 35 98:0 ${root} ${at} rw,noatime master:1 - ext4 /dev/root rw\n`;
  const table =
    row('/', '/') +
    row('/a.yaml', '/etc/p.yaml') +
    row('/var/volume-subpaths/x/0', '/etc/sub\\040path') +
    row('/d', '/d') +
    row('/x', '/etc/sub\\040path/own') +
    row('/one.yaml', '/single/one.yaml') +
    row('/two.txt', '/others/two.txt');
  expect(frozenMount(table, '/etc/p.yaml', true)).toBe('/etc/p.yaml');
  expect(frozenMount(table, '/etc/sub path', false)).toBe('/etc/sub path');
  expect(frozenMount(table, '/d', false)).toBeUndefined();
  expect(frozenMount(table, '/d/p.yaml', true)).toBeUndefined();
  // Around the directory, and for each of its files.
  expect(frozenMount(table, '/etc/sub path/policies', false)).toBe('/etc/sub path');
  expect(frozenMount(table, '/etc/sub path/own/policies', false)).toBeUndefined();
  expect(frozenMount(table, '/single', false)).toBe('/single/one.yaml');
  expect(frozenMount(table, '/others', false)).toBeUndefined();
});

test('13, 26: which addresses are public', () => {
  const near = [
    '10.1.2.3',
    '172.31.0.1',
    '192.168.1.1',
    '127.0.0.1',
    '169.254.1.1',
    '100.64.0.1',
    '::1',
    'fd00::2',
    'fe80::1%eth0',
  ];
  expect(near.filter(isPublicAddress)).toEqual([]);
  expect(['8.8.8.8', '172.32.0.1', '2001:db8::1', 'registry.example.com'].map(isPublicAddress)).toEqual([
    true,
    true,
    true,
    false,
  ]);
});

test('13, 23: the tables of the kernel are read as it writes them', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'portcullis-tables-'));
  try {
    const head = '  sl  local_address rem_address   st tx_queue rx_queue\n';
    const rest = '00000000:00000000 00:00000000 00000000     0        0 1 1 0 100 0 0 10 0';
    const [four, six, limit] = [join(dir, 'tcp'), join(dir, 'tcp6'), join(dir, 'max')];
    await writeFile(
      four,
      `${head}   0: 0100007F:1388 00000000:0000 0A ${rest}\n   1: 00000000:1389 00000000:0000 0A ${rest}\n   2: 0100007F:138A 0100007F:1000 01 ${rest}\n`,
    );
    await writeFile(
      six,
      `${head}   0: 00000000000000000000000000000000:138B ${'0'.repeat(32)}:0000 0A ${rest}\n   1: 0000000000000000FFFF00000100007F:138C ${'0'.repeat(32)}:0000 0A ${rest}\n`,
    );
    expect(await readListeners([four, six])).toEqual([
      { host: '127.0.0.1', port: 5000 },
      { host: '0.0.0.0', port: 5001 },
      { host: '::', port: 5003 },
      { host: '127.0.0.1', port: 5004 },
    ]);
    expect(await readListeners([join(dir, 'nothing')])).toBeUndefined();
    await writeFile(limit, '134217728\n');
    expect(readMemoryLimit([join(dir, 'nothing'), limit])).toBe(134_217_728);
    await writeFile(limit, 'max\n');
    expect(readMemoryLimit([limit])).toBeUndefined();
    await writeFile(limit, '');
    expect(readMemoryLimit([limit])).toBeUndefined();
  } finally {
    await rm(dir, { recursive: true });
  }
});

describe('17: Redis', () => {
  const facts = {
    version: '7.0.1',
    evictionPolicy: 'noeviction',
    persists: true,
    roundTripMs: 1,
    scriptTrouble: undefined,
    skewMs: 0,
    replicas: [],
  };
  const place = { isPrivate: true, isDefault: false };
  test.each([
    ['all is well', {}, 'ok'],
    ['too old', { version: '6.0.9' }, 'FAIL'],
    ['it forgets', { evictionPolicy: 'allkeys-lru' }, 'FAIL'],
    ['no scripts', { scriptTrouble: 'NOPERM' }, 'FAIL'],
    ['keeps nothing', { persists: false }, 'warn'],
    ['may not be asked', { persists: undefined }, 'ok'],
    ['far away', { roundTripMs: 9 }, 'warn'],
  ] as const)('%s', (_what, change, state) => {
    expect(judgeRedis({ ...facts, ...change }, place).state).toBe(state);
  });
  test('in clear, or by the account that may do everything', () => {
    expect(judgeRedis(facts, { ...place, isPrivate: false }).state).toBe('warn');
    expect(judgeRedis(facts, { ...place, isDefault: true }).state).toBe('warn');
  });
});

describe('19: replicas', () => {
  const one = { version: '1', revision: 'r', kids: ['a', 'b'], publicUrl: 'https://x', service: 'x' };
  test.each([
    ['all alike, whatever the order of keys', { kids: ['b', 'a'] }, 'ok'],
    ['another version', { version: '2' }, 'warn'],
    ['other policies', { revision: 's' }, 'FAIL'],
    ['other keys', { kids: ['a'] }, 'FAIL'],
    ['another publicUrl', { publicUrl: 'https://y' }, 'FAIL'],
    ['another service', { service: 'y' }, 'FAIL'],
  ] as const)('%s', (_what, change, state) => {
    expect(judgeReplicas([one, { ...one, ...change }]).state).toBe(state);
  });
  test('those that were silent for half a minute are gone', () => {
    const stored = { a: `1000 ${JSON.stringify(one)}`, b: `50000 ${JSON.stringify(one)}`, c: 'nonsense', d: '50000 {' };
    expect(readReplicas(stored, 60_000)).toEqual([one]);
  });
  test('another version that says other things differs, and breaks nothing', () => {
    const stored = { a: `50000 ${JSON.stringify(one)}`, b: '50000 {"version":"9","kids":"a"}', c: '50000 null' };
    const read = readReplicas(stored, 60_000);
    expect(read).toEqual([one, { version: '9', revision: '?', kids: [], publicUrl: '?', service: '?' }]);
    expect(judgeReplicas(read).state).toBe('FAIL');
  });
});

describe('28: the disk of audit files', () => {
  const now = Date.parse('2026-11-26T12:00:00Z');
  const day = 86_400_000;
  const gib = 1024 ** 3;
  const terms: AuditTerms = { directory: '/a', keepMs: 90 * day, isRequired: false };
  const dayAgo = (ago: number): string => new Date(now - ago * day).toISOString().slice(0, 10);
  const of = (ago: number, bytes: number, host = 'gate') => ({ name: `${dayAgo(ago)}.${host}.jsonl`, bytes });
  const facts = {
    trouble: undefined,
    freeBytes: 1000 * gib,
    freeFiles: 1_000_000,
    files: [of(1, gib), of(2, 2 * gib)],
  };
  const judged = (change: Partial<typeof facts> | { trouble: string }, more: Partial<AuditTerms> = {}) =>
    judgeAuditRoom({ ...facts, ...change }, { ...terms, ...more }, now);

  test('is enough for the days that are still to come, by the busiest of a week', () => {
    expect(judged({})).toEqual({ state: 'ok', found: '/a has 1000 GiB left, a day writes 2.0 GiB' });
    expect(judged({ freeBytes: 176 * gib }).state).toBe('ok');
    expect(
      judged({ files: [of(0, 900 * gib), of(9, 900 * gib), { name: 'other.jsonl', bytes: 900 * gib }] }).state,
    ).toBe('ok');
  });

  test('is full before the first file is deleted: says when, and what to do', () => {
    const { state, found, fix } = judged({ freeBytes: 175 * gib });
    expect([state, found]).toEqual([
      'warn',
      '/a is full in 87 days, and the first file is deleted in 88: lines are lost then',
    ]);
    expect(fix).toMatch(
      /^make room, keep fewer days \(audit\.keep\), or pack files .*gzip \/a\/.*needs 2\.0 GiB more$/,
    );
    expect(judged({ freeBytes: 175 * gib }, { keepMs: 89 * day }).state).toBe('ok');
    expect(judged({ files: [of(1, gib), of(1, gib, 'two')], freeBytes: 175 * gib }).state).toBe('warn');
    expect(judged({ freeFiles: 87 }).state).toBe('warn');
    // What is deleted makes room for what comes.
    const kept = Array.from({ length: 91 }, (_, ago) => of(ago, gib));
    expect(judged({ freeBytes: 2 * gib, files: kept }).state).toBe('ok');
  });

  test('has no room for one day, no file, or no write: it fails, and says what that costs', () => {
    expect(judged({ freeBytes: 2 * gib - 1 }).state).toBe('FAIL');
    expect(judged({ freeBytes: 1024, files: [] }).state).toBe('FAIL');
    expect(judged({ freeFiles: 0 }).found).toContain('room for 0 more files');
    expect(judged({ freeBytes: 0 }, { isRequired: true }).found).toContain('nothing is pushed then');
    expect(judged({ trouble: 'EACCES' })).toMatchObject({
      state: 'FAIL',
      found: 'nothing can be written to /a: EACCES',
    });
  });
});

test('28: an audit directory that the gateway would not make, or that is none', async () => {
  const machine = createMachine('');
  const dir = await mkdtemp(join(tmpdir(), 'room-'));
  const troubleOf = (name: string) => machine.room(join(dir, name)).trouble;
  try {
    await writeFile(join(dir, 'file'), '');
    expect(troubleOf('audit')).toBeUndefined();
    expect(troubleOf('file')).toBe('it is no directory');
    expect(troubleOf('not-mounted/audit')).toBe(`${dir}/not-mounted does not exist`);
  } finally {
    await rm(dir, { recursive: true });
  }
});

describe('the run', () => {
  const context = { mayReach: (url: string) => url.includes('127.0.0.1') } as unknown as Context;
  const named = (number: number, run: Check['run'], asks: readonly string[] = []): Check => ({
    number,
    name: `n${number}`,
    asks: () => asks,
    run,
  });

  test('a check that says nothing is a failure of its own when its time is over, and holds no other up', async () => {
    const silent = named(2, () => new Promise(() => undefined));
    const found = await runChecks([silent, named(1, () => ({ state: 'ok', found: 'well' }))], context, 50);
    expect(found.map(({ number, state }) => [number, state])).toEqual([
      [1, 'ok'],
      [2, 'FAIL'],
    ]);
    expect(found[1]?.fix).toBe('run it alone: portcullis doctor --only 2');
  });

  test('with --offline, what lies beyond this machine is not asked', async () => {
    let asked = 0;
    const run = () => ({ state: 'ok', found: String(++asked) }) as const;
    const found = await runChecks(
      [named(1, run, ['https://far.example.com']), named(2, run, ['http://127.0.0.1:1'])],
      context,
      50,
    );
    expect(found.map(({ state, found: text }) => [state, text])).toEqual([
      ['skip', '--offline: far.example.com is not this machine'],
      ['ok', '1'],
    ]);
  });
});
