import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { gatesAt, sourcesOf } from '../../src/policy/gates.ts';
import type { Gate } from '../../src/policy/model.ts';
import { compile, inPolicy, readPolicy, user } from '../support/policies.ts';
import { sized } from '../support/size.ts';

function gateOf(fields: object): Gate {
  const [gate] = readPolicy(`${JSON.stringify({ gates: [{ name: 'g', ...fields }], rules: [] })}\n`).gates;
  if (gate === undefined) throw new Error('there is no gate');
  return gate;
}

describe('a gate looks', () => {
  test.each<[what: string, repositories: string[], from: string[], repository: string, sources: string[]]>([
    ['where ** stands for the same segments', ['release/**'], ['integration/**'], 'release/app', ['integration/app']],
    ['for several of them', ['release/**'], ['integration/**'], 'release/team/app', ['integration/team/app']],
    ['wherever ** stands', ['a/**/z'], ['b/c/**/y'], 'a/1/2/z', ['b/c/1/2/y']],
    ['in all that it names, sorted', ['release/**'], ['z/**', 'a/**'], 'release/app', ['a/app', 'z/app']],
    ['in one place for all', ['release/**'], ['vault/all'], 'release/app', ['vault/all']],
    ['by each pattern that matches', ['release/**', '**/app'], ['x/**'], 'release/app', ['x/app', 'x/release']],
    ['once where two patterns lead to the same', ['release/**', 'release/**'], ['x/**'], 'release/app', ['x/app']],
    ['in itself', ['integration/**'], ['integration/**'], 'integration/app', ['integration/app']],
    ['in one place for what a star matches', ['release-*/app'], ['vault/all'], 'release-1/app', ['vault/all']],
    ['nowhere for another repository', ['release/**'], ['integration/**'], 'sandbox/app', []],
    ['nowhere for the area itself: ** is one segment or more', ['release/**'], ['integration/**'], 'release', []],
    ['nowhere for what only begins so', ['release/**'], ['integration/**'], 'release-old/app', []],
  ])('%s', (_what, repositories, from, repository, sources) => {
    expect(sourcesOf(gateOf({ repositories, from }), repository)).toEqual(sources);
  });

  test('where a reading of its patterns as text says', () => {
    const segment = fc.constantFrom('a', 'b', 'release', 'app');
    const name = fc.array(segment, { minLength: 1, maxLength: 5 }).map((parts) => parts.join('/'));
    const around = fc.tuple(fc.array(segment, { maxLength: 2 }), fc.array(segment, { maxLength: 2 }));
    const pattern = around.map(([before, after]) => [...before, '**', ...after].join('/'));
    fc.assert(
      fc.property(
        fc.array(pattern, { minLength: 1, maxLength: 3 }),
        fc.array(pattern, { minLength: 1, maxLength: 3 }),
        name,
        (repositories, from, repository) => {
          const expected = new Set<string>();
          for (const each of repositories) {
            const [before = '', after = ''] = each.split('**');
            const isMatch = repository.length > before.length + after.length;
            if (!isMatch || !repository.startsWith(before) || !repository.endsWith(after)) continue;
            const depth = repository.slice(before.length, repository.length - after.length);
            for (const source of from) expected.add(source.split('**').join(depth));
          }
          expect(sourcesOf(gateOf({ repositories, from }), repository)).toEqual([...expected].sort());
        },
      ),
      { numRuns: sized(300) },
    );
  });
});

describe('a gate stands', () => {
  const policy = compile(`
groups: { breakers: }
users: { dana: {}, rita: { groups: [breakers] } }
rules: []
gates:
  - { name: z-all, repositories: ["release/**"], from: ["integration/**"] }
  - { name: a-versions, repositories: ["release/**"], from: ["integration/**"], tags: ["v*", "1.*"] }
  - { name: m-others, repositories: ["release/**"], from: ["integration/**"], except: ["group:breakers"], mode: shadow }
`);
  const at = (name: string, repository: string, tag?: string): readonly string[] =>
    policy.gatesOf(inPolicy(policy, user(name)), repository, tag).map(({ gate }) => gate.name);

  test.each<[what: string, who: string, repository: string, tag: string | undefined, gates: string[]]>([
    ['by name, in whatever order they are written', 'dana', 'release/app', 'v1', ['a-versions', 'm-others', 'z-all']],
    ['not for other tags', 'dana', 'release/app', 'latest', ['m-others', 'z-all']],
    ['not without a tag where it is about tags', 'dana', 'release/app', undefined, ['m-others', 'z-all']],
    ['not for whom it excepts', 'rita', 'release/app', '1.0', ['a-versions', 'z-all']],
    ['not elsewhere', 'dana', 'sandbox/app', 'v1', []],
  ])('%s', (_what, who, repository, tag, gates) => {
    expect(at(who, repository, tag)).toEqual(gates);
  });

  test('before somebody without a name as well', () => {
    const { gates } = policy.policy;
    expect(gatesAt(gates, { kind: 'anonymous' }, 'release/app', undefined)).toHaveLength(2);
  });
});
