/**
 * Nothing of a repository or tag appears that its viewer may not pull: random policies, accounts and repositories, each with
 * a word of its own, looked for in every answer and every page. The evaluator that judges pulls says which may appear.
 */
import { renderToString } from 'preact-render-to-string';
import { describe, expect, test } from 'vitest';
import { developerOperations, developerPages } from '../../src/http/web/pages/developer.tsx';
import type { Page } from '../../src/http/web/page.ts';
import { listRepositories } from '../../src/operations/repositories.ts';
import { listTags } from '../../src/operations/tags.ts';
import { ask } from '../../src/operations/ask.ts';
import { anonymous, type Principal } from '../../src/policy/model.ts';
import { compile, inPolicy, user } from '../support/policies.ts';
import { frameFor } from '../support/frame.ts';
import { type Shelf, createShelf, digestFor, factsOf, looker, now, numbers } from '../support/shelf.ts';
import { isFull } from '../support/size.ts';

const accounts = ['ada', 'dana', 'tom'];
const folders = ['alpha', 'alpha/deep', 'beta', 'gamma', 'people/dana'];
const patterns = ['**', 'alpha/**', 'alpha/deep/**', 'beta/*', 'gamma/**', 'people/${account}/**'];
const tagPatterns = ["['v*']", "['rc*']", "['v*', 'x*']", "['sha256-*']", "['*a*']"];

/** Letters that occur in no other word. */
const word = (kind: string, number: number): string => `${kind}q${number.toString(36).padStart(3, '0')}z`;

function randomPolicy(random: (below: number) => number): string {
  const pick = <T>(list: readonly T[]): T => list[random(list.length)] as T;
  const rules = Array.from({ length: 3 + random(6) }, (_, number) => {
    const subject = pick(['user:ada', 'user:dana', 'user:tom', 'group:team', 'everyone', 'authenticated', 'anonymous']);
    const tags = random(2) === 0 ? `, tags: ${pick(tagPatterns)}` : '';
    const effect = random(3) === 0 ? ', effect: deny' : '';
    const actions = pick([
      '[pull]',
      '[pull, push]',
      '[push]',
      '[pull, delete]',
      '[overwrite, delete]',
      '[catalog, pull]',
    ]);
    return `  - { name: r${number}, subjects: ["${subject}"], repositories: ["${pick(patterns)}"], actions: ${actions}${tags}${effect} }`;
  });
  return `users: { ada: { groups: [team] }, dana: { groups: [team] }, tom: {} }\ngroups: { team: {} }\nrules:\n${rules.join('\n')}\n`;
}

function fill(shelf: Shelf, random: (below: number) => number, repositories: number): void {
  for (let number = 0; number < repositories; number++) {
    const repository = `${folders[random(folders.length)]}/${word('repo', number)}`;
    const tags = new Map<string, string>();
    const moves = [];
    for (let at = 0; at < 4; at++) {
      const tag = `${['v', 'rc', 'x', ''][random(4)]}${word('tag', number * 10 + at)}`;
      // Some share a digest, some have attachments, some no manifest.
      const digest = random(9) === 0 ? 'none' : digestFor(`${repository} ${random(3)}`);
      tags.set(tag, digest);
      if (digest === 'none') continue;
      moves.push({ tag, digest, at: now - at * 1000, by: 'rita' });
      shelf.images.set(digest, factsOf(digest));
      if (random(2) === 0) tags.set(`${digest.replace(':', '-')}.sig`, digestFor(`sig ${digest}`));
    }
    shelf.tags.set(repository, tags);
    shelf.moves.set(repository, moves);
  }
}

async function bodiesFor(
  shelf: Shelf,
  viewer: ReturnType<typeof looker>,
  frameName: string,
): Promise<readonly string[]> {
  const bodies: string[] = [];
  const look = async (page: Page<never>, rest: string, query: string): Promise<void> => {
    const asked = { rest, query: new URLSearchParams(query) };
    const outcome = await ask(page.operation, shelf.parts as never, viewer, page.input(asked));
    bodies.push(JSON.stringify(outcome));
    if (outcome.ok) bodies.push(renderToString(page.view(outcome.answer as never, frameFor(frameName), asked)));
  };
  const [list, repository] = developerPages as unknown as readonly [Page<never>, Page<never>];
  for (const query of ['', 'order=name', 'under=alpha', 'q=repo', 'q=*z', 'after=alpha/none'])
    await look(list, '', query);
  for (const [name, tags] of shelf.tags) {
    for (const query of ['', 'order=name', 'order=size', 'q=v*', 'q=sha256:']) await look(repository, name, query);
    for (const [tag, digest] of tags) {
      // What was asked for comes back in the refusal: asked of another name, it must not.
      if (
        viewer.policy.decide({ principal: viewer.caller.principal, now, action: 'pull', repository: name, tag }).allowed
      )
        await look(repository, name, `tag=${tag}`);
      if (
        digest !== 'none' &&
        viewer.policy.decide({ principal: viewer.caller.principal, now, action: 'pull', repository: name }).allowed
      )
        await look(repository, name, `digest=${digest}`);
    }
  }
  return bodies;
}

describe('what may not be pulled appears nowhere', () => {
  const policies = isFull ? 50 : 16;
  test(`of ${policies} policies, for everybody`, async () => {
    let [shown, hidden] = [0, 0];
    for (let seed = 0; seed < policies; seed++) {
      const random = numbers(`policy ${seed}`);
      const compiled = compile(randomPolicy(random));
      const shelf = createShelf();
      fill(shelf, random, isFull ? 200 : 12);
      const people: readonly Principal[] = [...accounts.map((name) => inPolicy(compiled, user(name))), anonymous];
      for (const principal of people) {
        const viewer = looker(compiled, principal);
        const may = (repository: string, tag?: string): boolean =>
          viewer.policy.decide({ principal, now, action: 'pull', repository, tag }).allowed;
        const bodies = (await bodiesFor(shelf, viewer, 'name' in principal ? principal.name : '')).join('\n');
        // Of names that were asked for the refusal says that there is none such.
        const told = bodies.replaceAll(/There is no (?:repository|image)[^.]*\./g, '');
        for (const [repository, tags] of shelf.tags) {
          const name = repository.split('/').at(-1) ?? '';
          if (may(repository)) shown++;
          else
            expect(told.includes(name), `${repository} for ${JSON.stringify(principal)} of policy ${seed}`).toBe(false);
          for (const tag of tags.keys()) {
            if (may(repository) && may(repository, tag)) continue;
            hidden++;
            expect(told.includes(tag), `${repository}:${tag} for ${JSON.stringify(principal)} of policy ${seed}`).toBe(
              false,
            );
          }
        }
        await expectCounts(shelf, viewer, may);
      }
    }
    expect(shown).toBeGreaterThan(100);
    expect(hidden).toBeGreaterThan(100);
  }, 600_000);
});

/** Numbers tell of names as well. */
async function expectCounts(
  shelf: Shelf,
  viewer: ReturnType<typeof looker>,
  may: (repository: string, tag?: string) => boolean,
): Promise<void> {
  const visible = [...shelf.tags.keys()].filter((name) => may(name));
  const listed = await listRepositories.run(shelf.parts, viewer, {});
  if (!listed.ok) throw new Error(listed.detail);
  expect(listed.answer.total).toBe(visible.length);
  expect(listed.answer.folders.reduce((sum, { repositories }) => sum + repositories, 0)).toBe(visible.length);
  for (const { name, tags } of listed.answer.repositories)
    if (tags !== undefined) expect(tags).toBe(tagsFor(shelf, name, may).length);
  for (const name of visible) {
    const found = await listTags.run(shelf.parts, viewer, { repository: name });
    if (!found.ok) throw new Error(found.detail);
    const tags = tagsFor(shelf, name, may);
    expect([found.answer.total, found.answer.matching], name).toEqual([tags.length, tags.length]);
    expect(found.answer.tags.map(({ tag }) => tag).toSorted()).toEqual(tags.toSorted());
  }
}

function tagsFor(
  shelf: Shelf,
  repository: string,
  may: (repository: string, tag?: string) => boolean,
): readonly string[] {
  return [...(shelf.tags.get(repository)?.keys() ?? [])].filter(
    (tag) => !tag.startsWith('sha256-') && may(repository, tag),
  );
}

test('what is not there and what may not be seen are refused in the same words', async () => {
  const compiled = compile(
    "users: { tom: {} }\nrules: [{ name: r, subjects: ['user:tom'], repositories: [seen], tags: ['v*'], actions: [pull] }]",
  );
  const shelf = createShelf();
  shelf.tags.set('hidden', new Map([['v1', digestFor('1')]]));
  shelf.tags.set('seen', new Map([['secret', digestFor('2')]]));
  for (const text of ['1', '2']) shelf.images.set(digestFor(text), factsOf(digestFor(text)));
  const viewer = looker(compiled, inPolicy(compiled, user('tom')));
  for (const operation of developerOperations.filter(
    ({ path, method }) => path !== '/repositories' && method === 'GET',
  )) {
    const asked = async (repository: string, tag: string): Promise<unknown> => {
      const given = {
        '/tags': { repository },
        '/image': { repository, reference: tag },
        '/delete': { repository, tag },
      };
      const outcome = await ask(
        operation as never,
        shelf.parts as never,
        viewer,
        given[operation.path as keyof typeof given],
      );
      return JSON.parse(JSON.stringify(outcome).replaceAll(repository, 'NAME').replaceAll(tag, 'TAG'));
    };
    expect(await asked('hidden', 'v1')).toEqual(await asked('nowhere', 'v1'));
    expect(await asked('hidden', 'v1')).toMatchObject({ ok: false, reason: 'unknown' });
    if (operation.path !== '/tags') expect(await asked('seen', 'secret')).toEqual(await asked('seen', 'nothing'));
  }
});
