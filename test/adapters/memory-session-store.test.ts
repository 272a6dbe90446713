import { chmod, mkdir, readFile, readdir, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createMemorySessionStore } from '../../src/adapters/memory/session-store.ts';
import type { Problem } from '../../src/document/problem.ts';
import type { SessionStore } from '../../src/ports.ts';
import { makeTempDir, removeTempDir } from '../support/temp-dir.ts';
import { describeSessionStore, hashOf, now, sessionOf, week } from './session-store.contract.ts';

const revocationMemorySeconds = 900;
let dir = '';
let file = '';
let time = now;
let problems: Problem[] = [];

beforeEach(async () => {
  dir = await makeTempDir('sessions');
  file = join(dir, 'sessions.json');
  time = now;
  problems = [];
});
afterEach(() => removeTempDir(dir));

function open(path: string | undefined = file): SessionStore {
  // Those of this test: a store of one before may write late, into a folder that is gone.
  const own = problems;
  return createMemorySessionStore({
    file: path,
    revocationMemorySeconds,
    clock: () => time,
    onProblem: (problem) => own.push(problem),
  });
}

describe('the session store of one process', () => {
  describeSessionStore(() => {
    const store = open();
    return Promise.resolve({
      store,
      elapse: (ms) => {
        time += ms;
        return Promise.resolve();
      },
      time: () => Promise.resolve(time),
      reopen: () => Promise.resolve(open()),
      close: () => store.close(),
    });
  });

  test('remembers a revocation as long as it promised and not forever', async () => {
    const store = open();
    await store.revoke({ id: 'gone' }, now);
    time += revocationMemorySeconds * 1000 - 1;
    expect(open().isRevoked('gone')).toBe(true);
    time += 1;
    expect(store.isRevoked('gone')).toBe(false);
    await store.open(hashOf('a'), sessionOf('dana'), week);
    expect(await readFile(file, 'utf8')).not.toContain('gone');
  });

  test('keeps nothing on disk without a file', async () => {
    const store = createMemorySessionStore({
      file: undefined,
      revocationMemorySeconds,
      clock: () => time,
      onProblem: (problem) => problems.push(problem),
    });
    expect(await store.open(hashOf('a'), sessionOf('dana'), week)).toEqual({ ok: true });
    expect(await readdir(dir)).toEqual([]);
  });

  test('lists the 10,000 sessions used last', async () => {
    const store = createMemorySessionStore({
      file: undefined,
      revocationMemorySeconds,
      clock: () => time,
      onProblem: (problem) => problems.push(problem),
    });
    for (let number = 0; number < 10_001; number += 1)
      await store.open(`token ${number}`, sessionOf('dana', { id: `${number}`, lastUsed: now + number }), week);
    const outcome = await store.list('dana', now);
    const sessions = outcome.ok ? outcome.sessions : [];
    expect(sessions).toHaveLength(10_000);
    expect(sessions[0]?.id).toBe('10000');
    expect(sessions.at(-1)?.id).toBe('1');
  });
});

describe('its file', () => {
  test('is private, complete and written before a session counts as opened or revoked', async () => {
    const store = open();
    await store.open(hashOf('a'), sessionOf('dana', { id: 'opened' }), week);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect(await readFile(file, 'utf8')).toContain('opened');
    await store.revoke({ tokenHash: hashOf('a') }, now);
    const { content } = JSON.parse(await readFile(file, 'utf8')) as { content: unknown };
    expect(content).toEqual({
      ended: [],
      owners: [],
      sessions: [],
      revoked: [{ id: 'opened', until: now + revocationMemorySeconds * 1000 }],
    });
    expect(await readdir(dir)).toEqual(['sessions.json']);
  });

  test('becomes private when it was not', async () => {
    await open().open(hashOf('a'), sessionOf('dana'), week);
    await chmod(file, 0o644);
    await open().open(hashOf('b'), sessionOf('dana'), week);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
  });

  test('takes many sessions that are opened at once', async () => {
    const store = open();
    const outcomes = await Promise.all(
      Array.from({ length: 200 }, (_, number) => store.open(`token ${number}`, sessionOf('dana'), week)),
    );
    expect(outcomes.filter(({ ok }) => ok)).toHaveLength(200);
    const again = await open().list('dana', now);
    expect(again.ok && again.sessions.length).toBe(200);
  });

  test('says when a session was last used once the store is closed', async () => {
    const store = open();
    await store.open(hashOf('a'), sessionOf('dana'), week);
    await store.use(hashOf('a'), { now: now + 77, address: undefined, userAgent: undefined }, week);
    await store.close();
    expect(await open().list('dana', now)).toMatchObject({ ok: true, sessions: [{ lastUsed: now + 77 }] });
  });

  test('is not written for tokens that nobody knows', async () => {
    const store = open();
    await store.revoke({ tokenHash: hashOf('made up') }, now);
    expect(await readdir(dir)).toEqual([]);
  });

  const valid = { kind: 'portcullis sessions', version: 1, content: { sessions: [], revoked: [] } };
  const damaged: readonly (readonly [what: string, text: string, says: RegExp])[] = [
    ['is empty', '', /not complete JSON/],
    ['was cut', JSON.stringify(valid).slice(0, -20), /not complete JSON/],
    ['holds bytes that are no text', '\u0000\ufffd\u0001', /not complete JSON/],
    ['is of another version', JSON.stringify({ ...valid, version: 2 }), /another version/],
    ['belongs to another program', '{"name":"package","version":"1.0.0"}', /does not hold portcullis sessions/],
    ['is a number', '7', /does not hold/],
    [
      'has a session without an account',
      JSON.stringify({ ...valid, content: { sessions: [{ tokenHash: 'x' }], revoked: [] } }),
      /damaged/,
    ],
    [
      'has a time that is none',
      JSON.stringify({ ...valid, content: { sessions: [], revoked: [{ id: 'x', until: '9' }] } }),
      /damaged/,
    ],
    ['has a list for a mapping', JSON.stringify({ ...valid, content: [] }), /damaged/],
  ];
  test.each(damaged)('that %s is moved aside and reported; the store begins empty and works', async (_, text, says) => {
    await writeFile(file, text);
    const store = open();
    expect(problems).toEqual([
      { file, line: 0, column: 0, code: 'state-file', message: expect.stringMatching(says) as string },
    ]);
    expect(await store.list(undefined, now)).toEqual({ ok: true, sessions: [] });
    expect(await store.open(hashOf('a'), sessionOf('dana'), week)).toEqual({ ok: true });
    const aside = (await readdir(dir)).find((name) => name.endsWith('.aside')) ?? '';
    expect(await readFile(join(dir, aside), 'utf8')).toBe(text);
  });

  test('cut at any length never brings the gateway down or back a revoked session', async () => {
    const store = open();
    await store.open(hashOf('a'), sessionOf('dana', { id: 'kept' }), week);
    await store.revoke({ id: 'revoked' }, now);
    const whole = await readFile(file, 'utf8');
    for (let length = 0; length < whole.length; length += 7) {
      await writeFile(file, whole.slice(0, length));
      expect(await open().list(undefined, now)).toEqual({ ok: true, sessions: [] });
    }
    expect(problems).toHaveLength(Math.ceil(whole.length / 7));
  });

  test('that is a directory, or a link to nowhere, does not stop the store', async () => {
    await mkdir(file);
    expect(await open().open(hashOf('a'), sessionOf('dana'), week)).toEqual({ ok: true });
    expect(problems[0]?.message).toMatch(/not a file/);
    const link = join(dir, 'link.json');
    await symlink(join(dir, 'nowhere'), link);
    expect(await open(link).open(hashOf('a'), sessionOf('dana'), week)).toEqual({ ok: true });
    expect(await readdir(dir)).not.toContain('nowhere');
  });

  test('that cannot be written: nothing counts as opened, a revocation holds here, and both are unavailable until it can', async () => {
    const folder = join(dir, 'state');
    await mkdir(folder);
    const store = open(join(folder, 'sessions.json'));
    await store.open(hashOf('a'), sessionOf('dana', { id: 'a' }), week);
    await removeTempDir(folder);
    expect(await store.open(hashOf('b'), sessionOf('dana'), week)).toEqual({ ok: false, reason: 'unavailable' });
    expect(await store.use(hashOf('b'), { now, address: undefined, userAgent: undefined }, week)).toEqual({
      ok: false,
      reason: 'unknown',
    });
    expect(await store.revoke({ tokenHash: hashOf('a') }, now)).toEqual({ ok: false, reason: 'unavailable' });
    expect(store.isRevoked('a')).toBe(true);
    expect(store.health().ok).toBe(false);
    expect(problems).toHaveLength(1);
    await mkdir(folder);
    expect(await store.revoke({ tokenHash: hashOf('a') }, now)).toEqual({ ok: true, ended: [] });
    expect(store.health().ok).toBe(true);
    expect(open(join(folder, 'sessions.json')).isRevoked('a')).toBe(true);
  });
});
