import { execFileSync } from 'node:child_process';
import {
  appendFile,
  chmod,
  mkdir,
  open,
  readFile,
  readdir,
  readlink,
  rename,
  rm,
  rmdir,
  stat,
  symlink,
  truncate,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { deleteOld } from '../../src/adapters/audit/beside.ts';
import { eventually } from '../support/eventually.ts';
import { makeTempDir, removeTempDir } from '../support/temp-dir.ts';
import { makeKey, noon, openDesk, pulled, verdict } from '../support/audit-files.ts';

let root: string;
beforeAll(async () => void (root = await makeTempDir('audit-writer')));
afterAll(() => removeTempDir(root));

let count = 0;
async function directory(): Promise<string> {
  const path = join(root, String(++count));
  await mkdir(path);
  return path;
}

const { token: key, keys } = makeKey();
const day = 86_400_000;

async function records(path: string): Promise<readonly Readonly<Record<string, unknown>>[]> {
  return (await readFile(path, 'utf8'))
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Readonly<Record<string, unknown>>);
}

const today = '2026-11-26.gate.jsonl';

describe('a gateway writes', () => {
  test('a chained line for each record, a signed checkpoint at the end, and others cannot read the file', async () => {
    const at = await directory();
    const { writer } = await openDesk(at, { key });
    writer.record(pulled('v1'));
    writer.record({ ...pulled('v2'), userAgent: 'evil\u2028{"seq":9}' });
    await writer.close();
    const written = await records(join(at, today));
    expect(written).toMatchObject([
      { seq: 1, prev: '', instance: 'gate', time: '2026-11-26T12:00:00.000Z', event: 'file', name: today },
      { seq: 2, event: 'access', reference: 'v1' },
      { seq: 3, reference: 'v2', userAgent: 'evil\\u2028{"seq":9}' },
      { seq: 4, event: 'checkpoint', kid: key.kid },
    ]);
    expect(await verdict(at, keys)).toEqual(['gate: 4 lines, 1 checkpoints, 0 unsigned']);
    expect(await readdir(at)).toEqual([today]);
    expect(((await stat(join(at, today))).mode & 0o137).toString(8)).toBe('0');
  });

  test('a file whose name is on the disk before a line in it is', async () => {
    const at = await directory();
    const handle = await open(at);
    const synced: boolean[] = [];
    const sync = vi.spyOn(Object.getPrototypeOf(handle) as typeof handle, 'sync').mockImplementation(async function (
      this: typeof handle,
    ) {
      synced.push((await this.stat()).isDirectory());
    });
    await handle.close();
    try {
      const { writer } = await openDesk(at, { key });
      writer.record(pulled('v1'));
      await writer.close();
      expect(synced).toEqual([true]);
    } finally {
      sync.mockRestore();
    }
  });

  test('a checkpoint every minute, and none where nothing came', async () => {
    const at = await directory();
    const desk = await openDesk(at, { key });
    await desk.writer.intend({ ...pulled('v1'), event: 'intent' });
    desk.now += 60_000;
    await desk.writer.intend({ ...pulled('v2'), event: 'intent' });
    desk.now += 60_000;
    await desk.writer.close();
    const events = (await records(join(at, today))).map(({ event }) => event);
    expect(events).toEqual(['file', 'intent', 'intent', 'checkpoint']);
  });

  test('what is about to be done to the disk before it answers', async () => {
    const at = await directory();
    const { writer } = await openDesk(at, { key });
    expect(await Promise.all([1, 2, 3].map((n) => writer.intend({ ...pulled(`v${n}`), event: 'intent' })))).toEqual([
      true,
      true,
      true,
    ]);
    expect((await records(join(at, today))).map(({ reference }) => reference)).toEqual([undefined, 'v1', 'v2', 'v3']);
    await writer.close();
    expect(await writer.intend({ ...pulled('late'), event: 'intent' })).toBe(false);
  });

  test('a file a day: midnight under load ends one with a checkpoint and begins the next, and the chain goes on', async () => {
    const at = await directory();
    const desk = await openDesk(at, { key, now: Date.UTC(2026, 10, 26, 23, 59, 59) });
    for (let n = 0; n < 3000; n++) {
      desk.now += 1;
      desk.writer.record(pulled(`v${n}`));
      if (n % 500 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    expect(await desk.writer.intend({ ...pulled('late'), event: 'intent' })).toBe(true);
    // A clock that is set back stays in the file of the day.
    desk.now = Date.UTC(2026, 10, 26, 23, 59, 59);
    desk.writer.record(pulled('back'));
    await desk.writer.close();
    const [first, second] = [await records(join(at, today)), await records(join(at, '2026-11-27.gate.jsonl'))];
    expect(first.at(-1)).toMatchObject({ event: 'checkpoint' });
    expect(second[0]).toMatchObject({ event: 'file', name: '2026-11-27.gate.jsonl' });
    expect(second.at(-2)).toMatchObject({ reference: 'back' });
    expect(first.length + second.length).toBe(3002 + 4);
    expect(await verdict(at, keys)).toEqual(['gate: 3006 lines, 2 checkpoints, 0 unsigned']);
  });

  test('a day that ends without another line is closed with its checkpoint', async () => {
    const at = await directory();
    const desk = await openDesk(at, { key });
    await desk.writer.intend({ ...pulled('v1'), event: 'intent' });
    desk.now += day;
    await desk.writer.close();
    expect((await records(join(at, today))).at(-1)).toMatchObject({ event: 'checkpoint' });
  });

  test('on where the one before stopped: after an orderly end without a word, after a kill with one', async () => {
    const at = await directory();
    for (const reference of ['v1', 'v2']) {
      const { writer } = await openDesk(at, { key });
      writer.record(pulled(reference));
      await writer.close();
    }
    await truncate(join(at, today), (await readFile(join(at, today))).lastIndexOf('{"seq":'));
    const { writer, troubles } = await openDesk(at, { key, now: noon + day });
    writer.record(pulled('v3'));
    await writer.close();
    const first = await records(join(at, today));
    expect(
      first.map(({ event, reason }) => (event === 'chain_restart' ? `${event} ${String(reason)}` : event)),
    ).toEqual([...['file', 'access', 'checkpoint', 'access', 'chain_restart not_closed', 'checkpoint']]);
    expect(troubles).toEqual([{ kind: 'restarted', reason: 'not_closed' }]);
    expect(await verdict(at, keys)).toEqual(['gate: 9 lines, 3 checkpoints, 0 unsigned']);
  });

  test.each([1, 2, 30, 200])('a restart record behind a line that was torn %i bytes before its end', async (cut) => {
    const at = await directory();
    const one = await openDesk(at, { key });
    one.writer.record(pulled('v1'));
    one.writer.record(pulled('v2'));
    await one.writer.close();
    const path = join(at, today);
    const end = (await readFile(path)).lastIndexOf('{"seq":');
    await truncate(path, end - cut);
    const two = await openDesk(at, { key });
    two.writer.record(pulled('v3'));
    await two.writer.close();
    expect(two.troubles).toEqual([{ kind: 'restarted', reason: 'torn_line' }]);
    expect(await verdict(at, keys)).toEqual(['gate: 6 lines, 1 checkpoints, 0 unsigned']);
    // The torn line itself is under the signature from then on, and so is the one before it.
    const text = await readFile(path, 'latin1');
    await writeFile(path, text.replace('"reference":"v1"', '"reference":"v7"'), 'latin1');
    expect(await verdict(at, keys)).toEqual([`${today}:2 changed`]);
    const torn = text.split('\n')[2] ?? '';
    await writeFile(path, text.replace(torn, `${torn.slice(0, -1)}!`), 'latin1');
    expect(await verdict(at, keys)).toEqual([`${today}:3 changed`]);
  });

  test('into one directory with others: every process on a host has a name of its own, and a dead one leaves its', async () => {
    const at = await directory();
    const desks = [await openDesk(at, { key }), await openDesk(at, { key }), await openDesk(at, { key })];
    expect(desks.map(({ writer }) => writer.instance)).toEqual(['gate', 'gate-2', 'gate-3']);
    for (let n = 0; n < 1000; n++) desks[n % 3]?.writer.record(pulled(`v${n}`));
    for (const { writer } of desks) await writer.close();
    expect((await verdict(at, keys)).map((line) => line.split(',')[0])).toEqual([
      ...['gate: 336 lines', 'gate-2: 335 lines', 'gate-3: 335 lines'],
    ]);
    const here = `${process.pid} ${await readFile('/proc/sys/kernel/random/boot_id', 'latin1')}`.trim();
    const space = await readlink('/proc/self/ns/pid');
    for (const dead of [`999999999 ${here.split(' ')[1]} ${space} 1`, `${here} ${space} 1`, '', 'x'.repeat(5000)]) {
      await writeFile(join(at, '.gate.lock'), dead);
      await utimes(join(at, '.gate.lock'), 1, 1);
      const next = await openDesk(at, { key });
      expect([dead, next.writer.instance]).toEqual([dead, 'gate']);
      await next.writer.close();
    }
  });

  test('beside one of the same name on another host or in another container, for as long as that lives', async () => {
    const at = await directory();
    const lock = join(at, '.gate.lock');
    await writeFile(lock, `${process.pid} other-boot pid:[1] 1`);
    const next = await openDesk(at, { key });
    expect(next.writer.instance).toBe('gate-2');
    await next.writer.close();
    await utimes(lock, new Date(), new Date(Date.now() - 61_000));
    const last = await openDesk(at, { key });
    expect(last.writer.instance).toBe('gate');
    expect(await last.writer.intend({ ...pulled('v1'), event: 'intent' })).toBe(true);
    // That one was only asleep, and finds its name taken.
    await writeFile(lock, `${process.pid} other-boot pid:[1] 1`);
    expect(await last.writer.intend({ ...pulled('v2'), event: 'intent' })).toBe(false);
    expect(last.writer.problem()).toMatch(
      /^another gateway writes here as gate by now: give every host a name of its own/,
    );
    await last.writer.close();
    expect(last.troubles).toEqual([
      { kind: 'failing', detail: last.writer.problem() },
      { kind: 'lost_at_end', lost: 1 },
    ]);
    expect([await readFile(lock, 'utf8'), last.writer.lost()]).toEqual([`${process.pid} other-boot pid:[1] 1`, 1]);
    // A lock that was swept away with other files is made again.
    const again = await openDesk(at, { key, name: 'other' });
    await rm(join(at, '.other.lock'));
    expect(await again.writer.intend({ ...pulled('v3'), event: 'intent' })).toBe(true);
    expect(await readFile(join(at, '.other.lock'), 'utf8')).toMatch(new RegExp(`^${process.pid} `));
    await again.writer.close();
  });

  test('no more than it keeps: files of days that ended before are deleted, and nothing else is', async () => {
    const at = await directory();
    for (const name of [
      '2026-08-27.gate.jsonl',
      '2026-08-28.other.jsonl',
      '2026-01-01.other.jsonl.gz',
      '2020-01-01.notes.txt',
      '2026-11-25.other.jsonl',
    ])
      await writeFile(join(at, name), name.endsWith('.gz') ? '' : 'x\n');
    const { writer } = await openDesk(at, { key, name: 'new' });
    await writer.close();
    const kept = ['2020-01-01.notes.txt', '2026-08-28.other.jsonl', '2026-11-25.other.jsonl'];
    expect((await readdir(at)).sort()).toEqual(kept);
  });

  test('and takes nothing away at the word of a clock that is years ahead', async () => {
    const at = await directory();
    for (const name of ['2026-08-26.other.jsonl', '2026-11-25.other.jsonl']) await writeFile(join(at, name), 'x\n');
    expect(await deleteOld(at, 90 * day, noon + 3650 * day)).toEqual(['2026-08-26.other.jsonl']);
    // Begun again on that day, its own file says nothing.
    await writeFile(join(at, '2036-11-23.other.jsonl'), 'x\n');
    expect(await deleteOld(at, 90 * day, noon + 3650 * day)).toEqual([]);
    expect(await deleteOld(await directory(), 90 * day, noon)).toEqual([]);
  });

  test('lines without a chain where that is off', async () => {
    const at = await directory();
    const { writer } = await openDesk(at, { key, isChained: false });
    writer.record(pulled('v1'));
    await writer.close();
    expect(await readFile(join(at, today), 'utf8')).toMatch(
      /^\{"instance":"gate","time":"[^"]+","event":"access",.*\}\n$/,
    );
  });
});

describe('when lines cannot be written', () => {
  test('they wait; what is about to be done is refused at once; and a place that can be written again takes all of them', async () => {
    const at = await directory();
    // Where the file of tomorrow should be there is something else.
    const desk = await openDesk(at, { key });
    await mkdir(join(at, '2026-11-27.gate.jsonl'));
    expect(await desk.writer.intend({ ...pulled('v1'), event: 'intent' })).toBe(true);
    desk.now += day;
    expect(await desk.writer.intend({ ...pulled('v2'), event: 'intent' })).toBe(false);
    expect(desk.writer.problem()).toMatch(/EISDIR/);
    for (let n = 0; n < 5; n++) expect(await desk.writer.intend({ ...pulled('no'), event: 'intent' })).toBe(false);
    desk.writer.record(pulled('v3'));
    await rmdir(join(at, '2026-11-27.gate.jsonl'));
    await desk.writer.close();
    expect(desk.writer.problem()).toBeUndefined();
    const references = (await records(join(at, '2026-11-27.gate.jsonl'))).map(
      ({ reference, event }) => reference ?? event,
    );
    expect(references).toEqual(['file', 'v2', 'v3', 'checkpoint']);
    expect(desk.troubles.map(({ kind }) => kind)).toEqual(['failing', 'writing_again']);
    expect(await verdict(at, keys)).toEqual([expect.stringMatching(/^gate: 7 lines, 2 checkpoints, 0 unsigned/)]);
  });

  test('those beyond the buffer are lost, and a gap record says how many', async () => {
    const at = await directory();
    const desk = await openDesk(at, { key, maxWaiting: 1000 });
    for (let n = 0; n < 10; n++) desk.writer.record(pulled(`v${n}`));
    await desk.writer.close();
    const written = await records(join(at, today));
    const kept = written.filter(({ event }) => event === 'access').length;
    expect(written.at(-2)).toMatchObject({ event: 'gap', lost: 10 - kept });
    expect([kept > 2, kept < 8, desk.writer.lost()]).toEqual([true, true, 10 - kept]);
    expect(await verdict(at, keys)).toEqual([expect.stringMatching(/^gate: /)]);
  });

  test('a link or a pipe that somebody put there is not written to, and nothing waits for a reader of it', async () => {
    const at = await directory();
    const elsewhere = join(at, 'elsewhere');
    await writeFile(elsewhere, '');
    await symlink(elsewhere, join(at, today));
    await expect(openDesk(at, { key })).rejects.toThrow('ELOOP');
    await rm(join(at, today));
    const desk = await openDesk(at, { key });
    expect(await desk.writer.intend({ ...pulled('v1'), event: 'intent' })).toBe(true);
    execFileSync('mkfifo', [join(at, '2026-11-27.gate.jsonl')]);
    await symlink(elsewhere, join(at, '2026-11-28.gate.jsonl'));
    for (const problem of [/ENXIO|no regular file/, /ELOOP/]) {
      desk.now += day;
      expect(await desk.writer.intend({ ...pulled('v2'), event: 'intent' })).toBe(false);
      expect(desk.writer.problem()).toMatch(problem);
      await rm(join(at, '2026-11-27.gate.jsonl'), { force: true });
      await eventually(
        'it is tried again',
        async () => (await desk.writer.intend({ ...pulled('v3'), event: 'intent' })) || desk.now > noon + day,
      );
    }
    await desk.writer.close();
    expect(await readFile(elsewhere, 'utf8')).toBe('');
  });

  test('what still waits at the end is lost, and so is what comes after it: both are counted', async () => {
    const at = await directory();
    const desk = await openDesk(at, { key });
    await desk.writer.intend({ ...pulled('v1'), event: 'intent' });
    await rename(at, `${at}-away`);
    for (let n = 0; n < 3; n++) desk.writer.record(pulled(`v${n}`));
    await desk.writer.close();
    expect(desk.troubles).toMatchObject([{ kind: 'failing' }, { kind: 'lost_at_end', lost: 3 }]);
    desk.writer.record(pulled('late'));
    expect([desk.writer.lost(), await desk.writer.intend(pulled('late'))]).toEqual([4, false]);
    await rename(`${at}-away`, at);
    await rm(join(at, '.gate.lock'));
    const after = await openDesk(at, { key });
    await after.writer.close();
    expect(await verdict(at, keys)).toEqual(['gate: 4 lines, 1 checkpoints, 0 unsigned']);
  });

  test('a directory that is gone is not made anew; one that is back is written to, and the chain goes on', async () => {
    const at = await directory();
    const desk = await openDesk(at, { key });
    expect(await desk.writer.intend({ ...pulled('v1'), event: 'intent' })).toBe(true);
    await rename(at, `${at}-away`);
    expect(await desk.writer.intend({ ...pulled('v2'), event: 'intent' })).toBe(false);
    await expect(readdir(at)).rejects.toThrow('ENOENT');
    await mkdir(at);
    desk.writer.record(pulled('v3'));
    await desk.writer.close();
    expect((await records(join(at, today))).map(({ seq, reference, event }) => [seq, reference ?? event])).toEqual([
      [3, 'file'],
      [4, 'v2'],
      [5, 'v3'],
      [6, 'checkpoint'],
    ]);
    expect(await verdict(at, keys)).toEqual(['gate: 4 lines, 1 checkpoints, 0 unsigned']);
    await rename(`${at}-away`, `${at}/old`);
  });

  test('a file that somebody else writes to is told of, and found', async () => {
    const at = await directory();
    const desk = await openDesk(at, { key });
    await desk.writer.intend({ ...pulled('v1'), event: 'intent' });
    await appendFile(join(at, today), 'hello\n');
    await desk.writer.intend({ ...pulled('v2'), event: 'intent' });
    await desk.writer.close();
    expect(desk.troubles).toEqual([{ kind: 'changed_from_outside', path: join(at, today), bytes: 6 }]);
    expect(await verdict(at, keys)).toEqual([`${today}:3 changed`]);
  });

  test('a directory that is not there, or is a file, is no place to begin', async () => {
    const at = await directory();
    await expect(openDesk(join(at, 'none'))).rejects.toThrow('ENOENT');
    await writeFile(join(at, 'file'), '');
    await expect(openDesk(join(at, 'file'))).rejects.toThrow('ENOTDIR');
    await chmod(at, 0o700);
  });
});
