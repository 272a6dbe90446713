import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createRepositoryMarks } from '../../src/adapters/memory/repository-marks.ts';
import { type NamesParts, type WalkedNames, createRepositoryNames } from '../../src/browse/repository-names.ts';
import { createTurns } from '../../src/browse/turns.ts';
import type { ListPlace, RepositoriesPage, RepositoryMarks } from '../../src/ports.ts';

/** A registry whose list a test changes, and which counts what it is asked. */
class Listed {
  names: readonly string[] = [];
  asked: (string | undefined)[] = [];
  answer: ((page: RepositoriesPage, count: number) => RepositoriesPage | Promise<RepositoriesPage>) | undefined;
  underWay = 0;
  most = 0;

  repositories = async (size: number, place?: ListPlace): Promise<RepositoriesPage> => {
    const last = place === undefined ? undefined : 'after' in place ? place.after : place.next;
    this.asked.push(last);
    this.most = Math.max(this.most, ++this.underWay);
    await Promise.resolve();
    const rest = this.names.filter((name) => last === undefined || name > last);
    const names = rest.slice(0, size);
    const page = { ok: true, names, next: rest.length > size ? names.at(-1) : undefined } as const;
    const answered = this.answer === undefined ? page : await this.answer(page, this.asked.length);
    this.underWay--;
    return answered;
  };
}

const numbered = (count: number, prefix = 'a'): string[] =>
  Array.from({ length: count }, (_, index) => `${prefix}/${String(index).padStart(6, '0')}`);

let registry: Listed;
let names: WalkedNames;
let keeping: NodeJS.Timeout;
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'performance', 'Date'] });
  registry = new Listed();
  names = open();
});
afterEach(() => {
  names.close();
  vi.useRealTimers();
});

function open(more: Partial<NamesParts> = {}): WalkedNames {
  return createRepositoryNames({
    registry,
    turns: createTurns({ each: 4 }),
    marks: createRepositoryMarks(),
    clock: Date.now,
    ...more,
  });
}
const walked = (): Promise<void> => names.ready(1000);

describe('the names of repositories', () => {
  test('are not asked for before somebody looks, then by a thousand at a time', async () => {
    registry.names = numbered(2500);
    await vi.advanceTimersByTimeAsync(600_000);
    expect(registry.asked).toEqual([]);
    expect(names.current()).toBeUndefined();
    await walked();
    expect(names.current()).toEqual({ names: registry.names, at: Date.now(), complete: true });
    expect(registry.asked).toEqual([undefined, 'a/000999', 'a/001999']);
  });

  test('are walked once at a time, however many ask', async () => {
    registry.names = numbered(3000);
    await Promise.all(Array.from({ length: 50 }, () => walked()));
    expect([registry.asked.length, registry.most]).toEqual([3, 1]);
  });

  test('are waited for no longer than somebody wants to', async () => {
    registry.answer = () => new Promise(() => {});
    const waiting = names.ready(500);
    await vi.advanceTimersByTimeAsync(500);
    await waiting;
    expect(names.current()).toBeUndefined();
  });

  test('are walked every minute while somebody asks, and for five minutes more', async () => {
    await walked();
    await vi.advanceTimersByTimeAsync(59_000);
    expect(registry.asked.length).toBe(1);
    await vi.advanceTimersByTimeAsync(1100);
    expect(registry.asked.length).toBe(2);
    await vi.advanceTimersByTimeAsync(3_600_000);
    expect(registry.asked.length).toBeLessThanOrEqual(6);
    names.current();
    await vi.advanceTimersByTimeAsync(1);
    expect(registry.asked.length).toBeLessThanOrEqual(7);
  });

  test('of a registry that takes long are walked less often', async () => {
    registry.answer = async (page) => {
      await new Promise((resolve) => setTimeout(resolve, 20_000));
      return page;
    };
    names.current();
    await vi.advanceTimersByTimeAsync(20_000);
    for (let minutes = 0; minutes < 3; minutes++) {
      names.current();
      await vi.advanceTimersByTimeAsync(60_000);
    }
    expect(registry.asked.length).toBe(1);
    await vi.advanceTimersByTimeAsync(30_000);
    expect(registry.asked.length).toBe(2);
  });

  test('have what is pushed here at once, in order, and not twice', async () => {
    registry.names = ['a/1', 'c/1'];
    await walked();
    for (const name of ['b/1', 'c/1', 'b/1']) names.noteWritten(name);
    expect(names.current()?.names).toEqual(['a/1', 'b/1', 'c/1']);
  });

  test('have what was pushed while a walk was behind it already', async () => {
    registry.names = ['b/1'];
    registry.answer = (page) => {
      names.noteWritten('a/1');
      return page;
    };
    await walked();
    expect(names.current()?.names).toEqual(['a/1', 'b/1']);
    registry.answer = undefined;
    await vi.advanceTimersByTimeAsync(61_000);
    expect(names.current()?.names).toEqual(['b/1']);
  });

  test('stay as they were when the registry fails, and say that they are not complete', async () => {
    registry.names = numbered(1500);
    await walked();
    const { at } = names.current() ?? {};
    registry.answer = (page, count) => (count % 2 === 0 ? { ok: false, reason: 'timeout' } : page);
    await vi.advanceTimersByTimeAsync(61_000);
    expect(names.current()).toEqual({ names: registry.names, at, complete: false });
    registry.answer = undefined;
    await vi.advanceTimersByTimeAsync(61_000);
    expect(names.current()).toMatchObject({ complete: true });
  });

  test('are as many as the registry gave before it failed for the first time', async () => {
    registry.names = numbered(1500);
    registry.answer = (page, count) => (count === 2 ? { ok: false, reason: 'broken' } : page);
    await walked();
    expect(names.current()).toMatchObject({ names: numbered(1000), complete: false });
  });

  test('of a registry that has no list are none', async () => {
    registry.answer = () => ({ ok: false, reason: 'unsupported' });
    await walked();
    expect(names.current()).toMatchObject({ names: [], complete: false });
  });

  test('of one of several that is away stay, while those of the others change', async () => {
    let isAway = false;
    let own = ['m/1'];
    registry.repositories = (_size, place) =>
      Promise.resolve(
        place === undefined
          ? { ok: true, names: own, next: '/other', list: 'main' }
          : isAway
            ? { ok: true, names: [], next: undefined, list: 'other', left: ['other'] }
            : { ok: true, names: ['a/1'], next: undefined, list: 'other' },
      );
    await walked();
    expect(names.current()).toMatchObject({ names: ['a/1', 'm/1'], complete: true });
    isAway = true;
    own = ['m/2'];
    for (let minutes = 0; minutes < 3; minutes++) {
      await vi.advanceTimersByTimeAsync(61_000);
      expect(names.current()).toMatchObject({ names: ['a/1', 'm/2'], complete: false });
    }
    isAway = false;
    await vi.advanceTimersByTimeAsync(61_000);
    expect(names.current()).toMatchObject({ names: ['a/1', 'm/2'], complete: true });
  });

  test('are so many at most', async () => {
    registry.names = numbered(5000);
    names = open({ maxNames: 2500 });
    await walked();
    expect(names.current()).toMatchObject({ names: numbered(2500), complete: false });
    expect(await names.pages()).toBeUndefined();
  });

  test('of a list that goes round end where it does', async () => {
    registry.answer = (page) => (page.ok ? { ...page, next: 'a/000999' } : page);
    registry.names = numbered(1500);
    await walked();
    expect(names.current()).toMatchObject({ complete: false });
    expect(registry.asked.length).toBe(2);
  });
});

describe('pages of the list', () => {
  beforeEach(() => void (keeping = setInterval(() => names.keep(), 10_000)));
  afterEach(() => clearInterval(keeping));
  const isKnown = async (): Promise<boolean> => (await names.pages()) !== undefined;

  test('are known after a walk, for two minutes without another one', async () => {
    expect(await isKnown()).toBe(false);
    await walked();
    expect(await isKnown()).toBe(true);
    registry.answer = () => new Promise(() => {});
    await vi.advanceTimersByTimeAsync(119_000);
    expect(await isKnown()).toBe(true);
    await vi.advanceTimersByTimeAsync(1100);
    expect(await isKnown()).toBe(false);
  });

  test('are not known once a repository was made here, until a walk that began later', async () => {
    registry.names = ['a/1'];
    await walked();
    names.noteWritten('a/1');
    expect(await isKnown()).toBe(true);
    names.noteWritten('b/1');
    expect(await isKnown()).toBe(false);
    registry.names = ['a/1', 'b/1'];
    await vi.advanceTimersByTimeAsync(6000);
    expect(await names.pages()).toMatchObject([{ names: ['a/1', 'b/1'] }]);
  });

  test('are not known once something was deleted here', async () => {
    registry.names = ['a/1'];
    await walked();
    names.noteDeleted('a/1');
    expect(await isKnown()).toBe(false);
    await vi.advanceTimersByTimeAsync(6000);
    expect(await isKnown()).toBe(true);
  });

  test('are not known while or after another gateway made a repository', async () => {
    const marks = createRepositoryMarks();
    const other = createRepositoryNames({ registry, turns: createTurns({ each: 4 }), marks, clock: Date.now });
    names = open({ marks });
    await walked();
    other.noteWritten('b/1');
    await vi.advanceTimersByTimeAsync(1000);
    expect(await isKnown()).toBe(false);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(await isKnown()).toBe(true);
    other.noteDeleted('b/1');
    await vi.advanceTimersByTimeAsync(1000);
    expect(await isKnown()).toBe(false);
    other.close();
  });

  test('are not known where nobody can tell what other gateways did', async () => {
    const marks: RepositoryMarks = { ...createRepositoryMarks(), read: () => ({ ok: false, reason: 'unavailable' }) };
    names = open({ marks });
    await walked();
    expect(await isKnown()).toBe(false);
  });

  test('are not known where a list was left out, or the last walk failed', async () => {
    await walked();
    registry.answer = (page) => (page.ok ? { ...page, left: ['other'] } : page);
    await vi.advanceTimersByTimeAsync(61_000);
    expect(await isKnown()).toBe(false);
    registry.answer = () => ({ ok: false, reason: 'unreachable' });
    await vi.advanceTimersByTimeAsync(61_000);
    expect(await isKnown()).toBe(false);
  });
});
