/** Lines that no gateway wrote: none of them breaks a replay, is believed, or reaches a terminal as it is. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readRecorded } from '../../src/replay/recorded.ts';
import { callProgram } from '../cli/in-process.ts';
import { readPolicy } from '../support/policies.ts';
import { makeTempDir, removeTempDir } from '../support/temp-dir.ts';
import { access, lineOf, replayed, told } from './support/records.ts';

const nothing = readPolicy('users: { dana: {} }\nrules: []\n');
const escape = '\u001b[2J\u001b]0;owned\u0007\u202e';
const time = new Date(Date.UTC(2026, 10, 20)).toISOString();

const strange: readonly (readonly [string, string | Buffer])[] = [
  ['text', 'npm warn something'],
  ['a number', '42'],
  ['a list', '[{"event":"access"}]'],
  ['null', 'null'],
  ['half an object', '{"event":"access","decision":"all'],
  ['bytes that are no text', Buffer.from([0x7b, 0xff, 0xfe, 0x00, 0x7d])],
  ['an object of another program', '{"msg":"hello"}'],
  ['a record without a time', '{"event":"access","decision":"allow","rule":"x"}'],
  ['a record with another time', '{"event":"access","time":"yesterday"}'],
  ['a record with a time that is none', '{"event":"access","time":12}'],
  ['deep nesting', `{"event":"access","time":"${time}","claims":${'['.repeat(100_000)}${']'.repeat(100_000)}}`],
  ['10 MB', `{"event":"access","time":"${time}","rule":"${'x'.repeat(10_000_000)}"}`],
];

describe('a line of', () => {
  test.each(strange)('%s is no record, and is counted', (_, line) => {
    const found = replayed([line], nothing);
    expect(found).toMatchObject({ judged: 0, lost: [], gained: [], unsure: [] });
    expect(found.unreadable + found.undecided + found.others).toBe(1);
  });

  test('a gateway that is about something else is no decision', () => {
    for (const event of ['session', 'policy', 'checkpoint', 'gap', 'intent'])
      expect(readRecorded(Buffer.from(`{"event":"${event}","time":"${time}"}`))).toBe('other');
    expect(readRecorded(Buffer.from('{"level":"info","message":"ready"}'))).toBe('other');
  });

  test.each([
    [
      'types',
      {
        account: 7,
        kind: [],
        repository: {},
        action: 1,
        reference: null,
        tags: 'x',
        groups: {},
        reach: 'x',
        claims: [],
      },
    ],
    ['inherited names', { account: '__proto__', kind: 'constructor', event: 'access', reach: { __proto__: {} } }],
    ['names', { repository: '../../etc', reference: 'a b', account: 'x'.repeat(10_000), kind: 'user' }],
    ['numbers', { durationMs: 1e308, status: -1, bytes: Number.NaN }],
    ['a negative duration', { durationMs: -1e308 }],
    ['tags', { httpMethod: 'PUT', action: 'push', reference: `sha256:${'0'.repeat(64)}`, tags: ['a b', '../x'] }],
    ['a promotion', { event: 'promotion', from: '::', action: 'promote', reference: 'v1' }],
    ['a token', { event: 'token', decision: 'allow', scope: '::::: repository:a/b', asked: 'registry:x:*' }],
  ])('wrong %s is read without believing it', (_, fields) => {
    const line = JSON.stringify({ ...access({}), time, ...fields });
    const found = replayed([line, line], nothing);
    for (const { repository } of [...found.lost, ...found.gained]) expect(repository).toMatch(/^a\/b$/);
  });

  test('a duration from before the first date is judged by rules that ask for the hour', () => {
    const hours = `users: { dana: {} }
rules: [{ name: day, subjects: [everyone], repositories: ['**'], actions: [pull], when: { hours: 08:00-18:00, days: [mon] } }]
`;
    for (const durationMs of [1e308, 9e15, -1])
      expect(replayed([JSON.stringify({ ...access({}), time, durationMs })], readPolicy(hours)).judged).toBe(1);
  });

  test('somebody whose name is a word of the language is nobody', () => {
    for (const account of ['__proto__', 'constructor', 'toString', 'hasOwnProperty'])
      expect(told(replayed([lineOf(access({ account }))], nothing))).toEqual([`- user:${account} pull a/b 1×`]);
  });

  test('however many would change, no more is kept than there is room for', () => {
    const lines = Array.from({ length: 25_000 }, (_, at) => lineOf(access({ repository: `a/r${at}` })));
    const { lost, beyond } = replayed(lines, nothing);
    expect(lost.length + beyond).toBe(25_000);
    expect(lost.length).toBe(20_000);
  });
});

describe('from the command line', () => {
  let dir: string;
  beforeAll(async () => {
    dir = await makeTempDir('hostile-replay');
    await writeFile(join(dir, 'none.yaml'), 'users: { dana: {} }\nrules: []\n');
    await writeFile(join(dir, 'broken.yaml'), 'rules: [');
    const all = "{ name: all, subjects: [everyone], repositories: ['**'], actions: [pull] }";
    await writeFile(join(dir, 'all.yaml'), `users: { dana: {} }\nrules: [${all}]\n`);
    const record = lineOf(
      access({ account: `dana${escape}`, outside: 'ldap', groups: [], rule: escape, userAgent: escape }),
    );
    const lines = [...strange.map(([, line]) => line), record, lineOf(access({}))].map((line) =>
      Buffer.concat([Buffer.from(line), Buffer.from('\n')]),
    );
    await writeFile(join(dir, 'gateway.log'), Buffer.concat(lines));
    await writeFile(join(dir, 'cut.log.gz'), gzipSync(Buffer.concat(lines)).subarray(0, -40));
    await mkdir(join(dir, 'empty'));
    await mkdir(join(dir, 'audit'));
    await writeFile(join(dir, 'audit', '2026-11-20.one.jsonl'), `${lineOf(access({}))}\n`);
    await writeFile(join(dir, 'audit', `2026-11-20.${'two'}.jsonl`), `${lineOf(access({ reference: 'two' }))}\n`);
    await writeFile(join(dir, 'audit', 'other.txt'), 'nothing of ours');
  });
  afterAll(() => removeTempDir(dir));
  const replay = (...args: readonly string[]) => callProgram(['replay', ...args], { cwd: dir });

  test('nothing that a terminal would obey comes out, and the rest is judged', async () => {
    for (const args of [[], ['--json']]) {
      const { code, stdout } = await replay('gateway.log', '--policies', 'none.yaml', ...args);
      expect(code).toBe(0);
      expect(stdout).toContain('\\u001b[2J');
      expect(stdout.replaceAll('\n', '')).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028-\u202e]/);
    }
  });

  test('the exit code is 1 as --fail-on says, 2 for usage, 78 for policies', async () => {
    const code = async (...args: readonly string[]) => (await replay(...args)).code;
    expect(await code('audit', '--policies', 'none.yaml')).toBe(0);
    expect(await code('audit', '--policies', 'none.yaml', '--fail-on', 'lost')).toBe(1);
    expect(await code('audit', '--policies', 'none.yaml', '--fail-on', 'gained')).toBe(0);
    expect(await code('audit', '--policies', 'none.yaml', '--fail-on', 'any')).toBe(1);
    expect(await code('audit', '--policies', 'all.yaml', '--base', 'none.yaml', '--fail-on', 'lost')).toBe(0);
    expect(await code('audit', '--policies', 'all.yaml', '--base', 'none.yaml', '--fail-on', 'gained')).toBe(1);
    expect(await code('audit', '--policies', 'none.yaml', '--fail-on', 'all')).toBe(2);
    expect(await code('audit', '--policies', 'none.yaml', '--since', 'yesterday')).toBe(2);
    expect(await code('audit', '--policies', 'none.yaml', '--at', 'noon')).toBe(2);
    expect(await code('nowhere', '--policies', 'none.yaml')).toBe(2);
    expect(await code('empty', '--policies', 'none.yaml')).toBe(2);
    expect(await code('--policies', 'none.yaml')).toBe(2);
    expect(await code('audit', '--policies', 'broken.yaml')).toBe(78);
    expect(await code('audit', '--policies', 'none.yaml', '--base', 'broken.yaml')).toBe(78);
  });

  test('a file that is cut is said, and what came before counts', async () => {
    const { code, stderr, stdout } = await replay('cut.log.gz', '--policies', 'none.yaml');
    expect(code).toBe(1);
    expect(stderr).toContain('cut.log.gz cannot be read to its end: unexpected end of file; what came before counts');
    expect(stdout).toContain('decisions');
  });

  test('files of every gateway are read, and days before --since are not', async () => {
    const { stdout } = await replay('audit', '--policies', 'none.yaml', '--json');
    expect(JSON.parse(stdout)).toMatchObject({ judged: 2, lost: [{ count: 2, tags: ['latest', 'two'] }] });
    const later = await replay('audit', '--policies', 'none.yaml', '--json', '--since', '2026-11-21');
    expect(JSON.parse(later.stdout)).toMatchObject({ judged: 0, lost: [], from: null });
    expect(later.stderr).toContain('nothing was judged');
  });

  test('--json says all that it knows, and null for what is absent', async () => {
    const { stdout } = await replay('audit', '--policies', 'none.yaml', '--json');
    expect(JSON.parse(stdout)).toEqual({
      from: '2026-11-20T12:00:00.000Z',
      to: '2026-11-20T12:00:00.000Z',
      judged: 2,
      same: 0,
      lost: [
        {
          ...{
            subject: 'user:dana',
            action: 'pull',
            repository: 'a/b',
            tags: ['latest', 'two'],
            moreTags: false,
            count: 2,
          },
          ...{
            last: '2026-11-20T12:00:00.000Z',
            why: 'no rule allows it',
            rule: null,
            file: null,
            line: null,
            was: 'rule some',
          },
        },
      ],
      gained: [],
      cannotSay: [],
      shadow: [],
      ...{ undecided: 0, others: 0, unreadable: 0, beyond: 0, limits: null, broken: [] },
    });
    const gained = await replay('audit', '--policies', 'all.yaml', '--base', 'none.yaml', '--json');
    expect(JSON.parse(gained.stdout)).toMatchObject({
      gained: [
        { why: 'rule "all" (all.yaml:2) allows it', rule: 'all', file: 'all.yaml', line: 2, was: 'no rule allows it' },
      ],
    });
  });
});
