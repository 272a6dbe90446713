import { execFileSync } from 'node:child_process';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { auditLines, listAuditFiles } from '../../src/adapters/files/audit-files.ts';
import { makeTempDir, removeTempDir } from '../support/temp-dir.ts';

let root: string;
beforeAll(async () => void (root = await makeTempDir('audit-files')));
afterAll(() => removeTempDir(root));

async function directoryOf(files: Readonly<Record<string, string | Buffer>>): Promise<string> {
  const directory = join(root, String(Math.random()).slice(2));
  await mkdir(directory);
  for (const [name, content] of Object.entries(files)) await writeFile(join(directory, name), content);
  return directory;
}

async function read(directory: string, order: 'oldest' | 'newest', since?: number, until?: number) {
  const found: string[] = [];
  for await (const lines of auditLines(directory, { order, since, until }))
    for (const { file, number, bytes, isWhole } of lines)
      found.push(`${file.instance}:${number ?? '-'}:${bytes.toString().slice(-24)}${isWhole ? '' : '~'}`);
  return found;
}

/** At this minute of the day. */
const line = (minute: number, text = ''): string =>
  `{"seq":1,"time":"2026-11-26T00:${String(minute).padStart(2, '0')}:00.000Z","x":"${text}${minute}"}\n`;

describe('lines of audit files', () => {
  test('of two gateways come in the order of their times, oldest or newest first, packed or not', async () => {
    const directory = await directoryOf({
      '2026-11-26.a.jsonl': line(1) + line(4),
      '2026-11-26.b.jsonl.gz': gzipSync(line(2) + line(3) + line(5)),
      '2026-11-25.a.jsonl': line(0),
      'keys.jwks': '{}',
      'notes.jsonl': 'x',
    });
    const oldest = await read(directory, 'oldest');
    expect(oldest.map((each) => /"(\d)"/.exec(each)?.[1])).toEqual(['0', '1', '2', '3', '4', '5']);
    expect(oldest.map((each) => each.slice(0, 3))).toEqual(['a:1', 'a:1', 'b:1', 'b:2', 'a:2', 'b:3']);
    const newest = await read(directory, 'newest');
    expect(newest.map((each) => /"(\d)"/.exec(each)?.[1])).toEqual(['5', '4', '3', '2', '1', '0']);
    const day = Date.UTC(2026, 10, 26);
    expect(await read(directory, 'oldest', day)).toHaveLength(5);
    expect(await read(directory, 'oldest', undefined, day - 1)).toHaveLength(1);
  });

  test('are the same from both ends, over blocks, with empty ones and one that is not ended', async () => {
    const long = 'y'.repeat(300_000);
    const text = `a\n\n${long}\n${'z\n'.repeat(200_000)}${long}\nlast`;
    const directory = await directoryOf({ '2026-11-26.a.jsonl': text });
    const forwards: [string, boolean][] = [];
    const backwards: [string, boolean][] = [];
    for await (const lines of auditLines(directory, { order: 'oldest' }))
      for (const { bytes, isWhole } of lines) forwards.push([bytes.toString(), isWhole]);
    for await (const lines of auditLines(directory, { order: 'newest' }))
      for (const { bytes, isWhole } of lines) backwards.push([bytes.toString(), isWhole]);
    expect(forwards.map(([line]) => line).join('\n')).toBe(text);
    expect(forwards.filter(([, isWhole]) => !isWhole)).toEqual([['last', false]]);
    expect(backwards.reverse()).toEqual(forwards);
  });

  test('that no gateway wrote are cut after a MiB or a little more, and the next one is read again', async () => {
    const directory = await directoryOf({ '2026-11-26.a.jsonl': `${'x'.repeat(3_000_000)}\nb\n` });
    for (const order of ['oldest', 'newest'] as const) {
      const found: [number, boolean][] = [];
      for await (const lines of auditLines(directory, { order }))
        for (const { bytes, isWhole } of lines) found.push([Math.floor(bytes.length / 1_000_000), isWhole]);
      expect(found.sort(([a], [b]) => a - b)).toEqual([
        [0, true],
        [1, false],
      ]);
    }
  });

  test('of files that are deleted or packed while others are read: those are left out, these are read', async () => {
    for (const order of ['oldest', 'newest'] as const) {
      const names = ['2026-11-25.a.jsonl', '2026-11-26.a.jsonl', '2026-11-27.a.jsonl'];
      if (order === 'newest') names.reverse();
      const [first = '', second = '', third = ''] = names;
      const directory = await directoryOf({ [first]: line(1), [second]: line(2), [third]: line(3) });
      const found: string[] = [];
      for await (const lines of auditLines(directory, { order })) {
        if (found.length === 0) {
          await rm(join(directory, second));
          await rm(join(directory, third));
          await writeFile(join(directory, `${third}.gz`), gzipSync(line(3)));
        }
        found.push(...lines.map(({ bytes }) => bytes.toString().slice(-4)));
      }
      expect(found).toEqual(['"1"}', '"3"}']);
    }
  });

  test('of what is no file are none: reading does not wait for a pipe', async () => {
    const directory = await directoryOf({});
    execFileSync('mkfifo', [join(directory, '2026-11-26.a.jsonl')]);
    for (const order of ['oldest', 'newest'] as const)
      await expect(read(directory, order)).rejects.toThrow('is no regular file');
  });

  test('that cannot be unpacked are named', async () => {
    const directory = await directoryOf({ '2026-11-26.a.jsonl.gz': gzipSync(line(1)).subarray(0, -9) });
    for (const order of ['oldest', 'newest'] as const)
      await expect(read(directory, order)).rejects.toThrow(
        `${directory}/2026-11-26.a.jsonl.gz cannot be read to its end: unexpected end of file`,
      );
  });

  test('by a clock that was set back to another day hold up none of what stands before or behind them', async () => {
    const directory = await directoryOf({
      '2026-11-26.a.jsonl': line(1) + line(2).replace('2026-11-26', '1970-01-01') + line(3) + line(6),
      '2026-11-26.b.jsonl': line(4) + line(5),
    });
    const numbers = async (order: 'oldest' | 'newest') =>
      (await read(directory, order)).map((each) => /"(\d)"/.exec(each)?.[1]).join('');
    expect([await numbers('oldest'), await numbers('newest')]).toEqual(['123456', '654321']);
  });

  test('are looked for in files of that name alone, and a plain file goes before its packed copy', async () => {
    const directory = await directoryOf({
      '2026-11-26.gate-1.example.jsonl': '',
      '2026-11-26.gate-1.example.jsonl.gz': '',
      '2026-11-26..jsonl': '',
      '2026-11-26.a b.jsonl': '',
      '2026-13-01.gate.jsonl': '',
      '2026-02-30.gate.jsonl': '',
    });
    expect((await listAuditFiles(directory)).map(({ name, instance }) => [name, instance])).toEqual([
      ['2026-11-26.gate-1.example.jsonl', 'gate-1.example'],
    ]);
  });
});
