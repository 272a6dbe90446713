/** Pages of what audit files say, the newest first. */
import { appendFile, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createAuditTrail } from '../../src/adapters/audit/trail.ts';
import { questionOf } from '../../src/audit/asked.ts';
import { auditTrail } from '../../src/operations/audit-trail.ts';
import type { Viewer } from '../../src/operations/viewer.ts';
import { makeTempDir, removeTempDir } from '../support/temp-dir.ts';

const now = Date.parse('2026-11-26T12:00:00.000Z');
const operator = { kind: 'operator' } as Viewer;

let root: string;
beforeAll(async () => void (root = await makeTempDir('audit-trail')));
afterAll(() => removeTempDir(root));

/** Every minute of the day one line of each of two gateways, a checkpoint among ten. */
function dayOf(day: string, gateway: string, minutes: number): string {
  return Array.from({ length: minutes }, (_, at) => {
    const time = new Date(Date.parse(day) + at * 60_000 + (gateway === 'b' ? 30_000 : 0)).toISOString();
    const what =
      at % 10 === 9
        ? { event: 'checkpoint', seq: at }
        : {
            event: 'access',
            decision: at % 3 === 0 ? 'deny' : 'allow',
            reason: 'x',
            account: at % 2 === 0 ? 'dana' : 'theo',
          };
    return `${JSON.stringify({ time, instance: gateway, ...what })}\n`;
  }).join('');
}

async function directoryWith(files: Readonly<Record<string, string | Buffer>>): Promise<string> {
  const directory = join(root, String(Math.random()).slice(2));
  await mkdir(directory);
  for (const [name, content] of Object.entries(files)) await writeFile(join(directory, name), content);
  return directory;
}

function twoDays(): Promise<string> {
  return directoryWith({
    '2026-11-24.a.jsonl.gz': gzipSync(dayOf('2026-11-24', 'a', 30)),
    '2026-11-25.a.jsonl': dayOf('2026-11-25', 'a', 300),
    '2026-11-25.b.jsonl': dayOf('2026-11-25', 'b', 300),
    '2026-11-26.a.jsonl': dayOf('2026-11-26', 'a', 300),
    '2026-11-26.b.jsonl': dayOf('2026-11-26', 'b', 7),
  });
}

type Query = Readonly<Record<string, string | undefined>>;

async function ask(directory: string, query: Query) {
  const parts = { auditTrail: createAuditTrail(directory, () => now), clock: () => now };
  const outcome = await auditTrail.run(parts, operator, auditTrail.input.parse(query));
  if (!outcome.ok) throw new Error(outcome.detail);
  return outcome.answer;
}

/** All pages; `between` happens after each. */
async function pages(directory: string, query: Query, between: () => Promise<void> = () => Promise.resolve()) {
  const records: Record<string, unknown>[] = [];
  let packed: readonly string[] = [];
  for (let cursor: string | undefined, turn = 0; turn === 0 || cursor !== undefined; turn++) {
    const answer = await ask(directory, { ...query, cursor });
    records.push(...answer.records);
    ({ packed, next: cursor } = { next: undefined, ...answer });
    await between();
  }
  return { records, packed };
}

const times = (records: readonly Record<string, unknown>[]): readonly string[] =>
  records.map(({ time, instance }) => `${String(time)} ${String(instance)}`);

describe('pages of audit records', () => {
  test('hold each record once, newest first, of both gateways and both days; what is packed is named', async () => {
    const directory = await twoDays();
    const whole = await pages(directory, { limit: '1000' });
    expect(whole.records).toHaveLength(270 * 3 + 7);
    expect(whole.packed).toEqual(['2026-11-24.a.jsonl.gz']);
    expect(times(whole.records)).toEqual([...times(whole.records)].sort().reverse());
    for (const limit of ['1', '7', '100', '512'])
      expect(times((await pages(directory, { limit })).records), limit).toEqual(times(whole.records));
  });

  test('do not move when lines come in between', async () => {
    const directory = await twoDays();
    const before = times((await pages(directory, {})).records);
    let at = now;
    const grow = (): Promise<void> =>
      appendFile(
        join(directory, '2026-11-26.b.jsonl'),
        `${JSON.stringify({ time: new Date((at += 60_000)).toISOString(), instance: 'b', decision: 'deny', reason: 'x' })}\n`,
      );
    expect(times((await pages(directory, { limit: '50' }, grow)).records)).toEqual(before);
  });

  test('hold what is asked for alone', async () => {
    const directory = await twoDays();
    const { records } = await pages(directory, { account: 'dana', decision: 'deny', since: '2026-11-26', limit: '9' });
    expect(records.length).toBeGreaterThan(20);
    for (const record of records) expect(record).toMatchObject({ account: 'dana', decision: 'deny' });
    expect(String(records.at(-1)?.['time']) >= '2026-11-26').toBe(true);
    expect((await pages(directory, { account: 'nobody' })).records).toEqual([]);
    expect((await pages(directory, { since: '2026-11-26' })).packed).toEqual([]);
  });

  test('end where much was looked at in vain, and go on from there', async () => {
    const line = `${JSON.stringify({ time: '2026-11-26T00:00:01.000Z', decision: 'allow', reason: 'y'.repeat(900) })}\n`;
    const first = `${JSON.stringify({ time: '2026-11-26T00:00:00.000Z', decision: 'deny', reason: 'x' })}\n`;
    const directory = await directoryWith({ '2026-11-26.a.jsonl': first + line.repeat(50_000) });
    const page = await ask(directory, { reason: 'x' });
    expect(page.records).toEqual([]);
    expect(page.next).toBeDefined();
    expect((await ask(directory, { reason: 'x', cursor: page.next })).records).toHaveLength(1);
  });

  test('are no longer than a MiB or so, however long the records are', async () => {
    const long = { decision: 'allow', reason: 'granted', scope: 'x'.repeat(35_000) };
    const line = `${JSON.stringify({ time: '2026-11-26T00:00:01.000Z', ...long })}\n`;
    const directory = await directoryWith({ '2026-11-26.a.jsonl': line.repeat(100) });
    expect((await ask(directory, { limit: '1000' })).records.length).toBeLessThan(35);
    expect((await pages(directory, { limit: '1000' })).records).toHaveLength(100);
  });

  test('end when nobody waits any more', async () => {
    const trail = createAuditTrail(await twoDays(), () => now);
    const question = questionOf({ account: 'nobody' });
    if ('problem' in question) throw new Error(question.problem);
    const terms = { since: undefined, limit: 10, place: undefined, isWanted: () => false };
    expect((await trail.page(question, terms)).next?.day).toBe('2026-11-26');
  });
});

test('since a moment are found behind lines of a clock that was set back for a while', async () => {
  const files = { '2026-11-26.a.jsonl': dayOf('2026-11-26', 'a', 300) + dayOf('1970-01-01', 'a', 30) };
  const directory = await directoryWith(files);
  const { records } = await pages(directory, { since: '2026-11-26T04:00:00Z', limit: '1000' });
  expect(records).toHaveLength(54);
});

describe('a cursor that nobody was given', () => {
  const written = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const place = { asOf: '2026-11-26T12:00:00.000Z', day: '2026-11-26', ends: { a: 100 } };
  test.each([
    ['', 'no next'],
    ['x', 'no next'],
    [written(null), 'no next'],
    [written({ ...place, day: '../../etc' }), 'no next'],
    [written({ ...place, day: '2026-13-45' }), 'no next'],
    [written({ ...place, ends: { a: -1 } }), 'no next'],
    [written({ ...place, ends: { a: 1.5 } }), 'no next'],
    [written({ ...place, path: '/etc/passwd' }), 'no next'],
    [written({ ...place, asOf: '~' }), 'no next'],
  ])('%j is refused', async (cursor, words) => {
    const directory = await twoDays();
    await expect(ask(directory, { cursor })).rejects.toThrow(words);
  });

  test('into the middle of a line, or of a file that is not there, gives whole records only', async () => {
    const directory = await twoDays();
    for (const ends of [{ a: 100 }, { a: 3 }, { a: 0 }, { '../x': 5, b: 150 }, { a: 1e15, b: 1e15 }]) {
      const { records } = await ask(directory, { cursor: written({ ...place, ends }) });
      for (const record of records) expect(record).toHaveProperty('reason', 'x');
    }
  });
});

test('files that cannot be read are no answer, and the refusal names the verb that says why', async () => {
  await expect(ask(join(root, 'gone'), {})).rejects.toThrow('portcullis audit query');
  const directory = await directoryWith({});
  await mkdir(join(directory, '2026-11-26.a.jsonl'));
  await expect(ask(directory, {})).rejects.toThrow('portcullis audit query');
});

test('where there are no audit files the answer says what to set', async () => {
  const parts = { auditTrail: undefined, clock: () => now };
  expect(await auditTrail.run(parts, operator, {})).toEqual({
    ok: false,
    reason: 'unknown',
    detail: 'this gateway keeps no audit files: set audit.directory',
  });
});
