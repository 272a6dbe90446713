/** One repository that has two names is judged as two. */
import { expect, test } from 'vitest';
import { createUpstreams } from '../../../src/distribution/upstreams.ts';
import { lintUpstreams } from '../../../src/policy/analysis/lint-upstreams.ts';
import { readPolicy } from '../../support/policies.ts';

const policy = readPolicy(`
rules:
  - { name: all, subjects: [authenticated], repositories: ["**"], actions: [pull] }
`);
const place = { file: 'portcullis.yaml', line: 3, column: 3 };

/** Prefix and what stands for it there, of entries with one url. */
function found(
  ...entries: readonly (readonly [prefix: string, remotePrefix: string, library?: true | undefined, url?: string])[]
) {
  const upstreams = createUpstreams(
    entries.map(([prefix, remotePrefix, library = false, url = 'http://registry:5000'], at) => {
      return { ...{ name: `r${at}`, url, prefix, remotePrefix, library }, access: 'read-write' } as const;
    }),
  );
  const { notes } = lintUpstreams(policy, upstreams, () => place);
  return notes.filter(({ code }) => code === 'two-names').map(({ message }) => message);
}

test.each([
  [
    'everything, and everything behind a prefix',
    [
      ['', ''],
      ['x', ''],
    ],
    'team/app and x/team/app',
  ],
  [
    'two prefixes for everything',
    [
      ['a', ''],
      ['b', ''],
    ],
    'a/team/app and b/team/app',
  ],
  [
    'a part, and all of it',
    [
      ['', ''],
      ['x', 'team'],
    ],
    'team/team/app and x/team/app',
  ],
  [
    'the same part twice',
    [
      ['a', 'team'],
      ['b', 'team'],
    ],
    'a/team/app and b/team/app',
  ],
  [
    'a library twice',
    [
      ['a', '', true],
      ['b', '', true],
    ],
    'a/team/app and b/team/app',
  ],
] as const)('%s of one registry have two names', (_what, entries, names) => {
  expect(found(...entries)).toEqual([expect.stringContaining(names)]);
});

test.each([
  [
    'a prefix that the registry has as well',
    [
      ['', ''],
      ['team', 'team'],
    ],
  ],
  [
    'different parts',
    [
      ['a', 'team'],
      ['b', 'other'],
    ],
  ],
  [
    'parts of which one begins as the other',
    [
      ['a', 'team'],
      ['b', 'team2'],
    ],
  ],
  [
    'two registries',
    [
      ['', ''],
      ['x', '', undefined, 'http://other:5000'],
    ],
  ],
] as const)('%s have one', (_what, entries) => {
  expect(found(...entries)).toEqual([]);
});
