import { describe, expect, test } from 'vitest';
import type { Page } from '../../src/distribution/route.ts';
import { listTags, mayHideTags } from '../../src/gate/tag-list.ts';
import type { TagAsker } from '../../src/gate/tag-writes.ts';
import type { Continuation } from '../../src/gate/visible-names.ts';
import type { ListPlace, TagsPage } from '../../src/ports.ts';
import { anonymous, compile, inPolicy, user } from '../support/policies.ts';

const policy = compile(`
users: { dana: {}, rita: {}, bob: {}, tess: {} }
rules:
  - { name: releases, subjects: ['user:dana'], repositories: [team/app], tags: ['v*'], actions: [pull] }
  - { name: everything, subjects: ['user:rita', 'user:tess'], repositories: ['**'], actions: [pull] }
  - { name: no-drafts, effect: deny, subjects: ['user:tess'], repositories: [team/app], tags: ['draft-*'], actions: [pull] }
  - { name: read, subjects: ['user:bob'], repositories: [team/app], tags: ['v*'], actions: [pull] }
  - { name: build, subjects: ['user:bob'], repositories: [team/app], tags: ['dev-*'], actions: [push] }
  - { name: no-moving, effect: deny, subjects: [everyone], repositories: ['**'], tags: ['v*'], actions: [overwrite, delete] }
`);

const signature = `sha256-${'0123456789abcdef'.repeat(4)}.sig`;
const all = ['dev-1', 'draft-1', 'draft-2', 'latest', signature, 'v1', 'v2', 'v3'];

/** A registry with these tags, which counts how often it is asked and answers at most `most` at once. */
function registryWith(
  tags: readonly string[],
  most = 1000,
): { tags(repository: string, size: number, place?: ListPlace): Promise<TagsPage>; asked: number } {
  return {
    asked: 0,
    tags(_repository, size, place) {
      this.asked++;
      const last = place === undefined ? undefined : 'after' in place ? place.after : place.next;
      const rest = tags.filter((tag) => last === undefined || tag > last);
      const page = rest.slice(0, Math.min(size, most));
      return Promise.resolve({ ok: true, names: page, next: rest.length > page.length ? page.at(-1) : undefined });
    },
  };
}

const reader = (name: string): TagAsker => ({
  policy,
  principal: inPolicy(policy, name === '' ? anonymous : user(name)),
  repository: 'team/app',
  circumstances: { now: 0 },
});
const list = (name: string, page: Page = {}, tags = all, most?: number): ReturnType<typeof listTags> =>
  listTags(registryWith(tags, most), reader(name), page, wanted);
const wanted = (): boolean => true;
const after = (name: string): Continuation => ({ after: name, isShown: true });

describe('the list of tags', () => {
  test.each([
    ['shows those that an allow names', 'dana', ['v1', 'v2', 'v3']],
    ['does not show those that a deny names', 'tess', ['dev-1', 'latest', signature, 'v1', 'v2', 'v3']],
    ['shows those that may be read because they may be pushed', 'bob', ['dev-1', 'v1', 'v2', 'v3']],
    ['is empty where nothing may be read', '', []],
  ])('%s', async (_what, name, tags) => {
    expect(await list(name)).toEqual({ ok: true, names: tags, next: undefined });
  });

  test.each([
    ['nobody judges tags here', 'rita', false],
    ['an allow names tags', 'dana', true],
    ['a deny names tags', 'tess', true],
  ])('passes as the registry gives it unless a rule may hide a tag: %s', (_when, name, hides) => {
    expect(mayHideTags(reader(name))).toBe(hides);
  });

  test('does not show the digest of a hidden image in the name of its signature', async () => {
    expect(policy.decide({ ...reader('dana'), action: 'pull', tag: signature, now: 0 }).allowed).toBe(true);
    expect(await list('dana')).not.toMatchObject({ names: expect.arrayContaining([signature]) as unknown });
  });

  test('has pages that begin after a visible tag, and says that there is more only when there is', async () => {
    expect(await list('dana', { size: 2 })).toEqual({ ok: true, names: ['v1', 'v2'], next: after('v2') });
    expect(await list('dana', { size: 2, last: 'v2' })).toEqual({ ok: true, names: ['v3'], next: undefined });
    expect(await list('dana', { size: 3 })).toEqual({ ok: true, names: ['v1', 'v2', 'v3'], next: undefined });
  });

  test('is empty without a next page when none is asked for', async () => {
    expect(await list('dana', { size: 0 })).toEqual({ ok: true, names: [], next: undefined });
  });

  test('begins after a hidden tag as after one that does not exist, without telling', async () => {
    for (const last of ['latest', 'latesu', 'draft-1', 'draft-3']) {
      expect(await list('dana', { last, size: 1 })).toEqual({ ok: true, names: ['v1'], next: after('v1') });
    }
  });

  test('never continues from a hidden tag, on any page of any size', async () => {
    const tags = Array.from({ length: 60 }, (_, index) => `${index % 3 === 0 ? 'v' : 'w'}${index}`).sort();
    for (const size of [1, 2, 3, 7, 20, 100]) {
      for (const most of [1, 2, 5, 1000]) {
        const seen: string[] = [];
        let last: string | undefined;
        do {
          const page = await list('dana', last === undefined ? { size } : { size, last }, tags, most);
          if (!page.ok) throw new Error(page.reason);
          seen.push(...page.names);
          last = page.next?.after;
          if (page.next !== undefined) expect(page.next.isShown).toBe(page.next.after.startsWith('v'));
        } while (last !== undefined);
        expect(seen).toEqual(tags.filter((tag) => tag.startsWith('v')));
      }
    }
  });

  test('without a size is whole, and cut with a next page only when it is beyond all bounds', async () => {
    const many = Array.from({ length: 60_000 }, (_, index) => `v${String(index).padStart(5, '0')}`);
    const registry = registryWith(many);
    const page = await listTags(registry, reader('dana'), {}, wanted);
    expect(page).toMatchObject({ ok: true, next: after('v49999') });
    expect(registry.asked).toBe(50);
    expect(await list('dana', { last: 'v49999' }, many)).toMatchObject({ ok: true, next: undefined });
  });

  test('costs no more where the registry gives all its tags at once', async () => {
    const many = Array.from({ length: 60_000 }, (_, index) => `v${String(index).padStart(5, '0')}`);
    const unpaged = { tags: (): Promise<TagsPage> => Promise.resolve({ ok: true, names: many, next: undefined }) };
    expect(await listTags(unpaged, reader('dana'), {}, wanted)).toMatchObject({ ok: true, next: after('v49999') });
  });

  test.each(['unknown', 'unreachable', 'timeout', 'broken'] as const)(
    'is refused whole when the repository or the registry is %s, also on a later page',
    async (reason) => {
      let asked = 0;
      const failing = {
        tags: (): Promise<TagsPage> =>
          Promise.resolve(asked++ === 0 ? { ok: true, names: ['v1'], next: 'v1' } : { ok: false, reason }),
      };
      expect(await listTags(failing, reader('dana'), {}, wanted)).toEqual({ ok: false, reason });
    },
  );
});
