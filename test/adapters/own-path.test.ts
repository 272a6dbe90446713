import { chmod, chown, mkdir, readFile, readdir, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ensureAdminToken } from '../../src/adapters/files/admin-token.ts';
import { readKeyFiles } from '../../src/adapters/files/key-ring.ts';
import { foreignPath } from '../../src/adapters/files/own-path.ts';
import { createMemorySessionStore } from '../../src/adapters/memory/session-store.ts';
import { makeTempDir, removeTempDir } from '../support/temp-dir.ts';

let place: string;
beforeEach(async () => {
  place = join(await makeTempDir('own-path'), 'state');
  await mkdir(place, { mode: 0o700 });
});
afterEach(() => removeTempDir(join(place, '..')));

/** In which neither root nor most users are. */
const foreignGroup = 54_321;
const isRoot = process.getuid?.() === 0;

describe('a path is this process’s own', () => {
  test.each([0o700, 0o755, 0o750, 0o775, 0o770])('with mode %o and a group of its own', async (mode) => {
    await chmod(place, mode);
    expect(foreignPath(place)).toBeUndefined();
  });

  test('as long as it is not there', () => {
    expect(foreignPath(join(place, 'missing'))).toBeUndefined();
  });

  test.each([0o777, 0o1777, 0o702, 0o2777])('unless everybody may write there: mode %o', async (mode) => {
    await chmod(place, mode);
    expect(foreignPath(place)).toMatch(
      /^can be written by every user of this machine .*fix: chmod go-w \S+, or choose a directory inside it/,
    );
    await symlink(place, join(place, '../link'));
    expect(foreignPath(join(place, '../link'))).toContain('every user');
  });

  test('unless a group may write there that it is not in', async (ctx) => {
    if (!isRoot) return ctx.skip('only root can give a directory to another group');
    await chown(place, 0, foreignGroup);
    await chmod(place, 0o2770);
    expect(foreignPath(place)).toContain(`the group ${foreignGroup}, which this process is not in`);
    await chmod(place, 0o2750);
    expect(foreignPath(place)).toBeUndefined();
  });

  test('unless it belongs to another user', async (ctx) => {
    if (!isRoot) return ctx.skip('only root can give a directory to another user');
    await chown(place, 12_345, 0);
    expect(foreignPath(place)).toMatch(/^belongs to another user \(uid 12345, this process is 0\); fix: chown -R 0 /);
  });
});

describe('the admin token', () => {
  const token = (): string => join(place, 'admin-token');
  const refusal = (): string => {
    try {
      return ensureAdminToken(place).reveal();
    } catch (error) {
      return (error as Error).message;
    }
  };

  test.each(['', '\n', ' \n'])('is made anew where a file without one was left: %j', async (text) => {
    await writeFile(token(), text, { mode: 0o600 });
    const made = ensureAdminToken(place).reveal();
    expect(made).toHaveLength(43);
    expect(await readFile(token(), 'utf8')).toBe(`${made}\n`);
    expect((await stat(token())).mode & 0o777).toBe(0o600);
    expect(ensureAdminToken(place).reveal()).toBe(made);
    expect(await readdir(place)).toEqual(['admin-token']);
  });

  test('is not taken from a file that others can read or write, or from such a directory', async () => {
    await writeFile(token(), 'x'.repeat(43), { mode: 0o600 });
    await chmod(token(), 0o604);
    expect(refusal()).toContain('can be read by every user of this machine; fix: chmod 600');
    await chmod(token(), 0o602);
    expect(refusal()).toContain('can be written by every user');
    await chmod(token(), 0o600);
    await chmod(place, 0o777);
    expect(refusal()).toContain(`${place} can be written by every user`);
    await chmod(place, 0o700);
    expect(refusal()).toBe('x'.repeat(43));
  });

  test('is not taken from a file of another user', async (ctx) => {
    if (!isRoot) return ctx.skip('only root can give a file to another user');
    await writeFile(token(), 'x'.repeat(43), { mode: 0o600 });
    await chown(token(), 12_345, 0);
    expect(refusal()).toContain('belongs to another user (uid 12345');
  });
});

describe('what others could have written is not believed', () => {
  test('a key directory is refused before a mode is mended, so that a planted key is not trusted', async () => {
    const keys = join(place, 'keys');
    expect(readKeyFiles(keys, true).ok).toBe(true);
    await chmod(keys, 0o777);
    for (const generate of [true, false]) {
      const reading = readKeyFiles(keys, generate);
      expect(reading.ok ? '' : reading.problems[0]?.message).toContain('can be written by every user');
    }
    expect((await stat(keys)).mode & 0o777).toBe(0o777);
  });

  test('a key of another user is refused', async (ctx) => {
    if (!isRoot) return ctx.skip('only root can give a file to another user');
    const keys = join(place, 'keys');
    readKeyFiles(keys, true);
    const [name = ''] = await readdir(keys);
    await chown(join(keys, name), 12_345, 0);
    const reading = readKeyFiles(keys, false);
    expect(reading.ok ? '' : reading.problems[0]?.message).toContain('belongs to another user');
  });

  test('sessions that everybody may write are moved aside', async () => {
    const file = join(place, 'sessions.json');
    const open = (): { readonly problems: string[]; close: () => Promise<void> } => {
      const problems: string[] = [];
      const store = createMemorySessionStore({
        file,
        revocationMemorySeconds: 900,
        clock: () => 0,
        onProblem: ({ message }) => problems.push(message),
      });
      return { problems, close: () => store.close() };
    };
    await writeFile(file, '{}', { mode: 0o600 });
    await chmod(file, 0o666);
    const { problems, close } = open();
    await close();
    expect(problems).toEqual([expect.stringMatching(/^it can be written by every user .*it was moved to/)]);
  });
});
