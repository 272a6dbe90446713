import { createHash } from 'node:crypto';
import { mkdir, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { verifyDirectory } from '../../src/adapters/audit/verified.ts';
import { hashOf } from '../../src/audit/chain.ts';
import { sized } from '../support/size.ts';
import { makeTempDir, removeTempDir } from '../support/temp-dir.ts';
import { makeKey, noon, openDesk, pulled, verdict } from '../support/audit-files.ts';

const { token: key, keys } = makeKey();
const day = 86_400_000;
const [first, second, third] = ['2026-11-26', '2026-11-27', '2026-11-28'].map((date) => `${date}.gate.jsonl`) as [
  string,
  string,
  string,
];

let root: string;
/** Three days of one gateway, with checkpoints within them and lines behind the last one. */
let whole: ReadonlyMap<string, readonly string[]>;
/** The checkpoint at the very end, which `whole` lacks. */
let closing: string;

beforeAll(async () => {
  root = await makeTempDir('audit-verify');
  const desk = await openDesk(root, { key });
  for (let n = 0; n < 36; n++) {
    desk.now = noon + Math.floor(n / 12) * day + (n % 12) * 20_000;
    await desk.writer.intend({ ...pulled(`v${n}`), event: 'intent' });
  }
  await desk.writer.close();
  whole = new Map(
    await Promise.all(
      [first, second, third].map(async (name) => {
        const lines = (await readFile(join(root, name), 'utf8')).split('\n').slice(0, -1);
        if (name === third) closing = lines.at(-1) ?? '';
        // Lines that no signature covers any more.
        return [name, name === third ? lines.slice(0, lines.lastIndexOf(lines.at(-1) ?? '')) : lines] as const;
      }),
    ),
  );
  await rm(root, { recursive: true });
  await mkdir(root);
});
afterAll(() => removeTempDir(root));

type Files = ReadonlyMap<string, readonly string[] | string>;

async function judged(files: Files): Promise<string> {
  for (const name of await readdir(root)) await rm(join(root, name));
  for (const [name, lines] of files)
    await writeFile(
      join(root, name),
      typeof lines === 'string' ? lines : lines.map((line) => `${line}\n`).join(''),
      'latin1',
    );
  return (await verdict(root, keys)).join();
}

const textOf = (name: string): string => (whole.get(name) ?? []).map((line) => `${line}\n`).join('');
const linesOf = (name: string): readonly string[] => whole.get(name) ?? [];
const having = (name: string, lines: readonly string[] | string): Files =>
  new Map<string, readonly string[] | string>([...whole, [name, lines]]);

/** The number of the last signed line of the newest file. */
const signedLines = (): number => linesOf(third).findLastIndex((line) => line.includes('"event":"checkpoint"')) + 1;
const isProvable = (name: string, line: number): boolean => name !== third || line <= signedLines();

const anyFile = fc.constantFrom(first, second, third);

test('a line is named by the first 16 bytes of its SHA-256, as base64url', () => {
  for (let n = 0; n < 200; n++) {
    const bytes = createHash('sha256').update(`line ${n}`).digest();
    expect(hashOf(Buffer.from(`line ${n}`))).toBe(bytes.subarray(0, 16).toString('base64url'));
  }
});

describe('verifying finds at the right line', () => {
  test('nothing in what the gateway wrote, and names what is chained and not signed', async () => {
    expect(await judged(whole)).toMatch(/^gate: \d\d lines, \d+ checkpoints, [1-9] unsigned$/);
  });

  test('any byte that is changed', async () => {
    await fc.assert(
      fc.asyncProperty(anyFile, fc.nat(), fc.integer({ min: 1, max: 255 }), async (name, where, difference) => {
        const bytes = Buffer.from(textOf(name));
        const at = where % bytes.length;
        const line = bytes.subarray(0, at).toString('latin1').split('\n').length;
        bytes[at] = (bytes[at] ?? 0) ^ difference;
        const found = await judged(having(name, bytes.toString('latin1')));
        if (isProvable(name, line))
          expect(found).toMatch(new RegExp(`^${name}:${line} (changed|signature|moved|missing)$`));
      }),
      { numRuns: sized(3000, 150) },
    );
  });

  test('any byte of a checkpoint that nothing follows', async () => {
    const at = linesOf(third).length + 1;
    expect(await judged(having(third, [...linesOf(third), closing]))).toMatch(/ 0 unsigned$/);
    const places = Array.from({ length: closing.length }, (_, place) => place);
    for (const place of places.filter((each) => sized(1, 7) === 1 || each % 7 === 0)) {
      const letter = closing[place] === 'a' ? 'b' : 'a';
      const forged = closing.slice(0, place) + letter + closing.slice(place + 1);
      expect(await judged(having(third, [...linesOf(third), forged])), forged).toMatch(`${third}:${at} `);
    }
  });

  test('a line that is taken out', async () => {
    await fc.assert(
      fc.asyncProperty(anyFile, fc.nat(), async (name, where) => {
        const at = where % linesOf(name).length;
        const found = await judged(having(name, linesOf(name).toSpliced(at, 1)));
        if (!isProvable(name, at + 1) || (name === third && at + 1 === linesOf(name).length)) return;
        const next = at + 1 < linesOf(name).length ? `${name}:${at + 1}` : `${name === first ? second : third}:1`;
        expect(found).toBe(`${next} missing`);
      }),
      { numRuns: sized(1000, 60) },
    );
  });

  test('lines that change places, stand there twice or somewhere else', async () => {
    await fc.assert(
      fc.asyncProperty(
        anyFile,
        fc.nat(),
        fc.nat(),
        fc.constantFrom('swap', 'repeat', 'copy'),
        async (name, one, other, how) => {
          const lines = linesOf(name);
          const [a, b] = [one % lines.length, other % lines.length].sort((x, y) => x - y) as [number, number];
          if (how !== 'repeat' && a === b) return;
          const [lineA = '', lineB = ''] = [lines[a], lines[b]];
          const changed =
            how === 'swap'
              ? lines.with(a, lineB).with(b, lineA)
              : how === 'repeat'
                ? lines.toSpliced(a, 0, lineA)
                : lines.toSpliced(a, 0, lineB);
          const at = how === 'repeat' ? a + 2 : a + 1;
          const found = await judged(having(name, changed));
          if (isProvable(name, at))
            expect(found).toMatch(new RegExp(`^${name}:${at} (moved|inserted|missing|changed)$`));
        },
      ),
      { numRuns: sized(1000, 90) },
    );
  });

  test('a line that is forged and put in, with the number and the hash of the one before', async () => {
    const lines = linesOf(second);
    const forged = (lines[4] ?? '').replace('"account":"dana"', '"account":"eve_"');
    expect(forged).not.toBe(lines[4]);
    expect(await judged(having(second, lines.toSpliced(4, 0, forged)))).toBe(`${second}:5 inserted`);
    expect(await judged(having(second, lines.with(4, forged)))).toBe(`${second}:5 changed`);
  });

  test('files that are missing in between, change places, are empty or end early', async () => {
    expect(await judged(new Map([...whole].filter(([name]) => name !== second)))).toBe(`${third}:1 missing`);
    expect(await judged(new Map([...whole, [first, linesOf(second)], [second, linesOf(first)]]))).toBe(
      `${first}:1 moved`,
    );
    expect(await judged(having(second, ''))).toBe(`${second}:1 missing`);
    await judged(having(first, ''));
    expect((await verifyDirectory(root, keys)).map(({ summary }) => summary.instance)).toEqual(['gate']);
    expect(await judged(having(second, textOf(second).slice(0, -1)))).toMatch(
      new RegExp(`^${second}:${linesOf(second).length} changed`),
    );
    expect(await judged(having(second, textOf(second).slice(0, -9)))).toMatch(
      new RegExp(`^${second}:${linesOf(second).length} changed`),
    );
  });

  test('signatures by other keys, and by keys that nobody knows', async () => {
    const before = await judged(whole);
    const stranger = makeKey();
    expect(await verdict(root, stranger.keys)).toEqual([expect.stringMatching(/signature$/)]);
    expect(before).not.toMatch(/signature/);
  });

  test('files that are packed as those that are not; one that is packed badly is not read to its end', async () => {
    const expected = await judged(whole);
    await rm(join(root, second));
    const packed = gzipSync(textOf(second));
    await writeFile(join(root, `${second}.gz`), packed);
    expect(await verdict(root, keys)).toEqual([expected]);
    await writeFile(join(root, `${second}.gz`), packed.subarray(0, -20));
    expect(await verdict(root, keys)).toEqual([expect.stringMatching(new RegExp(`^${second}.gz:\\d+ unreadable$`))]);
    await rename(join(root, `${second}.gz`), join(root, 'x'));
  });

  test('old files that are not kept leave no fault: the chain begins later', async () => {
    expect(await judged(new Map([...whole].filter(([name]) => name !== first)))).toMatch(/^gate: \d\d lines/);
  });
});
