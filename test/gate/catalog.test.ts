import { describe, expect, test } from 'vitest';
import { type CatalogPage, listCatalog } from '../../src/gate/catalog.ts';
import type { Continuation } from '../../src/gate/visible-names.ts';
import type { Page } from '../../src/distribution/route.ts';
import type { ListPlace, NamesPage } from '../../src/ports.ts';
import { anonymous, compile, inPolicy, user } from '../support/policies.ts';

const policy = compile(`
users: { dana: {} }
rules:
  - { name: see, subjects: ['user:dana'], repositories: ['a/**', 'b/**', 'c/**'], actions: [catalog, pull] }
  - { name: only-list, subjects: ['user:dana'], repositories: ['listed/**'], actions: [catalog] }
  - { name: only-pull, subjects: ['user:dana'], repositories: ['pulled/**'], actions: [pull] }
  - { name: hidden, effect: deny, subjects: [everyone], repositories: ['b/hidden'], actions: [catalog] }
  - { name: secret, effect: deny, subjects: [everyone], repositories: ['c/secret'], actions: [pull] }
`);

/** A registry with these names, which counts how often it is asked and answers at most `most` names at once. */
function registryWith(
  names: readonly string[],
  most = 1000,
): { repositories(size: number, place?: ListPlace): Promise<NamesPage>; asked: number } {
  return {
    asked: 0,
    repositories(size, place) {
      this.asked++;
      const last = place === undefined ? undefined : 'after' in place ? place.after : place.next;
      const begin = last === undefined ? 0 : names.findIndex((name) => name > last);
      const rest = begin === -1 ? [] : names.slice(begin);
      const page = rest.slice(0, Math.min(size, most));
      return Promise.resolve({ ok: true, names: page, next: rest.length > page.length ? page.at(-1) : undefined });
    },
  };
}

const dana = inPolicy(policy, user('dana'));
const wanted = (): boolean => true;
const after = (name: string): Continuation => ({ after: name, isShown: true });

const list = (names: readonly string[], page: Page = {}, most?: number): Promise<CatalogPage> =>
  listCatalog(registryWith(names, most), policy, dana, page, { now: 0 }, wanted);

describe('the list of repositories', () => {
  const all = ['a/1', 'a/2', 'b/hidden', 'c/secret', 'listed/x', 'none/x', 'pulled/x', 'c/9'].sort();

  test('shows what the caller may both list and pull, in the registry’s order', async () => {
    expect(await list(all)).toEqual({ ok: true, names: ['a/1', 'a/2', 'c/9'], next: undefined });
  });

  test('shows nothing to who may see nothing', async () => {
    expect(await listCatalog(registryWith(all), policy, anonymous, {}, { now: 0 }, wanted)).toEqual({
      ok: true,
      names: [],
      next: undefined,
    });
  });

  test('has pages that begin after a visible name, and says that there is more only when there is', async () => {
    expect(await list(all, { size: 2 })).toEqual({ ok: true, names: ['a/1', 'a/2'], next: after('a/2') });
    expect(await list(all, { size: 2, last: 'a/2' })).toEqual({ ok: true, names: ['c/9'], next: undefined });
    expect(await list(all, { size: 3 })).toEqual({ ok: true, names: ['a/1', 'a/2', 'c/9'], next: undefined });
  });

  test('is empty without a next page when a page of none is asked for', async () => {
    expect(await list(all, { size: 0 })).toEqual({ ok: true, names: [], next: undefined });
  });

  test('begins after a hidden name as after any other, without telling', async () => {
    expect(await list(all, { last: 'b/hidden' })).toEqual({ ok: true, names: ['c/9'], next: undefined });
    expect(await list(all, { last: 'b/hiddem' })).toEqual({ ok: true, names: ['c/9'], next: undefined });
  });

  test('never shows a hidden name as the place to go on from, on any page of any size', async () => {
    const names = Array.from(
      { length: 60 },
      (_, index) => `${index % 3 === 0 ? 'a' : 'none'}/${String(index).padStart(2, '0')}`,
    ).sort();
    for (const size of [1, 2, 3, 7, 20, 100]) {
      for (const most of [1, 2, 5, 1000]) {
        const seen: string[] = [];
        let last: string | undefined;
        for (;;) {
          const page = await list(names, last === undefined ? { size } : { size, last }, most);
          if (!page.ok) throw new Error(page.reason);
          seen.push(...page.names);
          if (page.next === undefined) break;
          expect(page.next.isShown).toBe(page.next.after.startsWith('a/'));
          last = page.next.after;
        }
        expect(seen).toEqual(names.filter((name) => name.startsWith('a/')));
      }
    }
  });

  test('asks the registry on until a page is full', async () => {
    const registry = registryWith(all, 1);
    expect(await listCatalog(registry, policy, dana, { size: 2 }, { now: 0 }, wanted)).toMatchObject({
      names: ['a/1', 'a/2'],
    });
    expect(registry.asked).toBeGreaterThan(2);
  });

  test('is empty when nothing is asked for, and asks nobody', async () => {
    const registry = registryWith(all);
    expect(await listCatalog(registry, policy, dana, { size: 0 }, { now: 0 }, wanted)).toEqual({
      ok: true,
      names: [],
      next: undefined,
    });
    expect(registry.asked).toBe(0);
  });

  test('stops after fifty questions, with what it has, and goes on behind what it hid', async () => {
    const hidden = Array.from({ length: 130 }, (_, index) => `b/hidden/${String(index).padStart(3, '0')}`);
    const closed = compile(`
users: { dana: {} }
rules:
  - { name: see, subjects: ['user:dana'], repositories: ['**'], actions: [catalog, pull] }
  - { name: hide, effect: deny, subjects: [everyone], repositories: ['b/**'], actions: [pull] }
`);
    const registry = registryWith(['a/1', ...hidden, 'c/1'], 2);
    const page = async (last?: string): Promise<CatalogPage> => {
      const place = last === undefined ? {} : { last };
      return listCatalog(registry, closed, dana, place, { now: 0 }, wanted);
    };
    expect(await page()).toMatchObject({ names: ['a/1'], next: { after: 'b/hidden/098', isShown: false } });
    expect(registry.asked).toBe(50);
    expect(await page('b/hidden/098')).toEqual({ ok: true, names: ['c/1'], next: undefined });
  });

  test('goes on behind a name that it shows when that is the last one it saw', async () => {
    const names = Array.from({ length: 51 }, (_, index) => `a/${String(index).padStart(2, '0')}`);
    expect(await list(names, { size: 100 }, 1)).toMatchObject({ next: after('a/49') });
  });

  test('asks no further once nobody wants the answer', async () => {
    const registry = registryWith(all, 1);
    let questions = 3;
    const page = await listCatalog(registry, policy, dana, {}, { now: 0 }, () => questions-- > 0);
    expect(page).toEqual({ ok: false, reason: 'unwanted' });
    expect(registry.asked).toBe(3);
  });

  test('asks no further when the registry says that there is no more', async () => {
    const registry = registryWith(all);
    expect(await listCatalog(registry, policy, dana, { size: 5 }, { now: 0 }, wanted)).toMatchObject({
      ok: true,
    });
    expect(registry.asked).toBe(1);
  });

  test('is refused whole when the registry says that there is more and never shows it', async () => {
    for (const names of [[], ['a/1']]) {
      let asked = 0;
      const circling = {
        repositories: (): Promise<NamesPage> => (asked++, Promise.resolve({ ok: true, names, next: 'again' })),
      };
      const page = await listCatalog(circling, policy, dana, { size: 5 }, { now: 0 }, wanted);
      expect(page).toEqual({ ok: false, reason: 'broken' });
      expect(asked).toBe(2);
    }
  });

  test('goes on where the registry says, though that registry ignores where a list is to begin', async () => {
    const pages = new Map([
      [undefined, { names: ['a/1', 'a/2'], next: 'opaque 2' }],
      ['opaque 2', { names: ['a/3'], next: 'opaque 3' }],
      ['opaque 3', { names: ['a/4', 'a/5'], next: undefined }],
    ]);
    const opaque = {
      repositories: (_size: number, place?: ListPlace): Promise<NamesPage> => {
        const page = pages.get(place !== undefined && 'next' in place ? place.next : undefined);
        return Promise.resolve(page === undefined ? { ok: false, reason: 'broken' } : { ok: true, ...page });
      },
    };
    const seen: string[] = [];
    for (let last: string | undefined = ''; last !== undefined;) {
      const wish: Page = last === '' ? { size: 2 } : { size: 2, last };
      const page = await listCatalog(opaque, policy, dana, wish, { now: 0 }, wanted);
      if (!page.ok) throw new Error(page.reason);
      seen.push(...page.names);
      last = page.next?.after;
    }
    expect(seen).toEqual(['a/1', 'a/2', 'a/3', 'a/4', 'a/5']);
  });

  test.each(['unreachable', 'timeout', 'broken'] as const)(
    'is refused whole when the registry is %s, also on a later page',
    async (reason) => {
      let asked = 0;
      const failing = {
        repositories: (): Promise<NamesPage> =>
          Promise.resolve(asked++ === 0 ? { ok: true, names: ['a/1'], next: 'a/1' } : { ok: false, reason }),
      };
      expect(await listCatalog(failing, policy, dana, {}, { now: 0 }, wanted)).toEqual({ ok: false, reason });
    },
  );
});
