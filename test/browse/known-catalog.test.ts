import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createKnownCatalog } from '../../src/browse/known-catalog.ts';
import { walkRepositories } from '../../src/browse/repository-walk.ts';
import { listCatalog } from '../../src/gate/catalog.ts';
import { backendAt } from '../support/backend.ts';
import type { ListPlace, Registry } from '../../src/ports.ts';
import { contentWriter } from '../support/content.ts';
import { anonymous, compile, inPolicy, user } from '../support/policies.ts';
import { describeWithPrograms } from '../support/programs.ts';
import { type RegistryProcess, startRegistry } from '../support/registry.ts';
import { sized } from '../support/size.ts';

const policy = compile(`
users: { dana: {} }
rules:
  - { name: see, subjects: ['user:dana'], repositories: ['open/**', '*/open', 'a', 'a-b/**'], actions: [catalog, pull] }
`);
const dana = inPolicy(policy, user('dana'));

type Lists = Pick<Registry, 'repositories'>;
interface Shown {
  readonly names: readonly string[];
  readonly after: string | undefined;
  readonly isShown: boolean | undefined;
}
type Start = { readonly last?: string; readonly next?: string };

/** Every page of the list by this size, each begun where the one before ended, as clients and sealed places do. */
async function everyPage(lists: Lists, size: number, first: Start = {}): Promise<readonly Shown[]> {
  const pages: Shown[] = [];
  let start: Start | undefined = first;
  while (start !== undefined && pages.length < 200) {
    const page = await listCatalog(lists, policy, dana, { size, ...start }, { now: 0 }, () => true);
    if (!page.ok) throw new Error(page.reason);
    const { names, next } = page;
    pages.push({ names, after: next?.after, isShown: next?.isShown });
    start = next && { last: next.after };
  }
  return pages;
}

async function knownOf(registry: Lists): Promise<{ readonly lists: Lists; asked: number }> {
  const walk = await walkRepositories(registry.repositories, { before: undefined, at: 0, maxNames: 1e6 });
  const known = { asked: 0, lists: registry };
  const counting: Lists = {
    repositories: (size, place) => {
      known.asked++;
      return registry.repositories(size, place);
    },
  };
  known.lists = createKnownCatalog(counting, { pages: () => Promise.resolve(walk.pages), keep() {} });
  return known;
}

function registryOf(names: readonly string[], most: number): Lists {
  return {
    repositories(size, place?: ListPlace) {
      const last = place === undefined ? undefined : 'after' in place ? place.after : place.next;
      const rest = names.filter((name) => last === undefined || name > last);
      const page = rest.slice(0, Math.min(size, most));
      return Promise.resolve({ ok: true, names: page, next: rest.length > page.length ? page.at(-1) : undefined });
    },
  };
}

describe('the list of repositories from a walk', () => {
  const name = fc.tuple(fc.constantFrom('open', 'hidden', 'x'), fc.nat(40)).map(([area, at]) => `${area}/${at}`);

  test('has the same pages as the registry’s, by any size and from any place', async () => {
    const cases = fc.record({
      names: fc.uniqueArray(name, { maxLength: 60 }).map((all) => all.sort()),
      most: fc.integer({ min: 1, max: 20 }),
      size: fc.integer({ min: 1, max: 12 }),
      last: fc.option(fc.oneof(name, fc.constant('m')), { nil: undefined }),
    });
    await fc.assert(
      fc.asyncProperty(cases, async ({ names, most, size, last }) => {
        const registry = registryOf(names, most);
        const known = await knownOf(registry);
        const start = last === undefined ? {} : { last };
        expect(await everyPage(known.lists, size, start)).toEqual(await everyPage(registry, size, start));
        if (last === undefined || names.includes(last)) expect(known.asked).toBe(0);
      }),
      { numRuns: sized(200) },
    );
  });

  test('asks the registry where a place is that the walk did not see', async () => {
    const known = await knownOf(registryOf(['open/1', 'open/3'], 1000));
    for (const place of [{ after: 'open/2' }, { next: 'elsewhere' }]) await known.lists.repositories(1000, place);
    expect(known.asked).toBe(2);
  });

  test('is as short for who may see nothing', async () => {
    const known = await knownOf(registryOf(['open/1'], 1000));
    const page = await listCatalog(known.lists, policy, anonymous, {}, { now: 0 }, () => true);
    expect(page).toEqual({ ok: true, names: [], next: undefined });
  });
});

describeWithPrograms(['docker-registry'], 'the list of a real registry', () => {
  let registry: RegistryProcess;
  /** Folder by folder, as it lists them: a slash comes before everything else. */
  const inOrder = 'a a/open a/x a-b/open a.b/open a0/open open/1 open/10 open/2 open/a/b z'.split(' ');
  const shown = inOrder.filter((name) => name !== 'a/x' && name !== 'z');
  beforeAll(async () => {
    registry = await startRegistry();
    const there = contentWriter(registry.url);
    for (const each of inOrder) await there.image(each, 't');
  });
  afterAll(() => registry.stop());

  test.each([1, 2, 3, 5, 100])('has the same pages by %i, and every name once', async (size) => {
    const behind = backendAt(registry.url);
    const known = await knownOf(behind.ask);
    for (const last of [undefined, 'a', 'a/open', 'a-b/open', 'open/1', 'nothing/here']) {
      const start = last === undefined ? {} : { last };
      const pages = await everyPage(known.lists, size, start);
      expect(pages).toEqual(await everyPage(behind.ask, size, start));
      if (last === undefined) expect(pages.flatMap((page) => page.names)).toEqual(shown);
    }
    behind.close();
  });
});

describe('walks for lists', () => {
  test.each([
    [1000, 'none'],
    [1001, 'they begin'],
  ])('of %i repositories: %s', async (count, kept) => {
    const registry = registryOf(
      Array.from({ length: count }, (_, at) => `open/${String(at).padStart(5, '0')}`),
      1000,
    );
    let keeps = 0;
    const lists = createKnownCatalog(registry, { pages: () => Promise.resolve(undefined), keep: () => void keeps++ });
    await everyPage(lists, 1000);
    expect(keeps > 0).toBe(kept !== 'none');
  });
});
