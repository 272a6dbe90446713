import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { importDockerAuth } from '../../src/import/docker-auth.ts';
import { inNetworks } from '../../src/policy/conditions.ts';
import { type PolicyByName, compileByName } from '../../src/policy/by-name.ts';
import { parsePolicy } from '../../src/policy/files/parse.ts';
import { sized } from '../support/size.ts';

const hash = '$2y$05$LO.vzwpWC5LZGqThvEfznu8qhb5SGqvBSWY1J3yZ4AxtMRZ3kN5jC';

function imported(text: string): { text: string; skipped: readonly string[]; compiled: PolicyByName } {
  const result = importDockerAuth('auth.yml', text);
  if (!result.ok) throw new Error(JSON.stringify(result.problems));
  const reading = parsePolicy([{ file: 'imported.yaml', text: result.text }]);
  if (!reading.ok) throw new Error(`${JSON.stringify(reading.problems)}\n${result.text}`);
  return {
    text: result.text,
    skipped: result.skipped.map(({ line, message }) => `${line}: ${message}`),
    compiled: compileByName(reading.policy),
  };
}

/** `bob push a/b@10.1.2.3`, with an empty name for an anonymous caller. */
function may(compiled: PolicyByName, question: string): boolean {
  const [, name = '', action = '', repository = '', address] = /^(\S*) (\S+) ([^@]+)(?:@(.*))?$/.exec(question) ?? [];
  return compiled.decide({
    principal: name === '' ? { kind: 'anonymous' } : { kind: 'user', name },
    action: action as 'pull',
    repository,
    address: address ?? '192.0.2.1',
    now: 0,
    readWhilePushing: true,
  }).allowed;
}

const people = `users:\n  admin: { password: "${hash}" }\n  bob: { password: "${hash}" }\n  eve: { password: "${hash}" }\n  "": {}\n`;

describe('what the first match decides, the rules decide', () => {
  const cases: readonly (readonly [
    what: string,
    acl: string,
    answers: { readonly allow: readonly string[]; readonly deny: readonly string[] },
  ])[] = [
    [
      'an administrator before everybody else',
      `
  - { match: { account: admin }, actions: ["*"] }
  - { match: { account: "/.+/" }, actions: [pull] }
  - { match: { account: "", name: hello }, actions: [pull] }`,
      {
        allow: ['admin delete a/b/c', 'bob pull a/b/c', ' pull hello', 'admin catalog x'],
        deny: ['bob push a/b/c', ' pull a', ' push hello', 'bob catalog x'],
      },
    ],
    [
      'an entry that gives nothing shadows the later ones for its account',
      `
  - { match: { account: bob, name: "bob-*" }, actions: ["*"] }
  - { match: { account: bob }, actions: [] }
  - { match: { account: "/.+/" }, actions: [pull] }`,
      { allow: ['bob push bob-app', 'eve pull x'], deny: ['bob pull x', 'bob catalog x'] },
    ],
    [
      'an entry that gives nothing shadows the later ones for its repositories',
      `
  - { match: { name: "secret/*" }, actions: [] }
  - { match: { account: "/^(bob|eve)$/" }, actions: [pull, push] }`,
      { allow: ['bob push x', 'eve pull secret/a/b', 'eve pull secret'], deny: ['bob pull secret/a', 'admin pull x'] },
    ],
    [
      'an entry that gives less takes the rest away where it matches',
      `
  - { match: { account: "/.+/", name: "base/*" }, actions: [pull] }
  - { match: { account: bob }, actions: ["*"] }`,
      { allow: ['bob pull base/x', 'bob push x', 'eve pull base/x'], deny: ['bob push base/x', 'bob delete base/x'] },
    ],
    [
      'a corner for each account',
      `
  - { match: { account: "/.+/", name: "\${account}/*" }, actions: ["*"] }
  - { match: { account: "/.+/" }, actions: [pull] }`,
      { allow: ['bob delete bob/x', 'bob pull eve/x'], deny: ['bob push eve/x', 'bob push bob/x/y', ' pull bob/x'] },
    ],
    [
      'two stars are no more than one there, and no star crosses a slash',
      `
  - { match: { account: bob, name: "team/**" }, actions: [pull] }
  - { match: { account: eve, name: "*" }, actions: [pull] }`,
      { allow: ['bob pull team/x', 'eve pull x'], deny: ['bob pull team/x/y', 'bob pull team', 'eve pull x/y'] },
    ],
    [
      'addresses become conditions',
      `
  - { match: { ip: "10.0.0.0/8" }, actions: ["*"] }
  - { match: { account: bob }, actions: [pull] }`,
      { allow: ['bob push x@10.1.2.3', ' push x@10.1.2.3', 'bob pull x'], deny: ['bob push x', 'eve pull x'] },
    ],
    [
      'the catalog is a type of its own',
      `
  - { match: { account: bob, type: registry, name: catalog }, actions: ["*"] }
  - { match: { account: eve, type: repository }, actions: ["*"] }
  - { match: { account: admin, type: registry }, actions: [pull] }`,
      { allow: ['bob catalog any/thing', 'eve push x'], deny: ['bob pull x', 'eve catalog x', 'admin catalog x'] },
    ],
    [
      'whom an earlier entry gives everything but the catalog',
      `
  - { match: { account: bob }, actions: [pull, push, delete] }
  - { match: { account: "/.+/" }, actions: ["*"] }`,
      { allow: ['bob push x', 'eve push x', 'eve catalog x'], deny: ['bob catalog x'] },
    ],
    [
      'an entry for everybody includes who has not logged in',
      `
  - { match: { name: "public/*" }, actions: [pull] }
  - { match: {}, actions: [] }`,
      { allow: [' pull public/x', 'bob pull public/x'], deny: [' push public/x', 'bob pull x'] },
    ],
    [
      'pushing without pulling does not let anybody read',
      `
  - { match: { account: bob, name: "drop/*" }, actions: [push] }
  - { match: { account: "/.+/" }, actions: [pull] }`,
      { allow: ['bob push drop/x', 'eve pull drop/x', 'bob pull x'], deny: ['bob pull drop/x'] },
    ],
    [
      'what nothing can match first is no loss',
      `
  - { match: { account: "/.+/" }, actions: [pull] }
  - { match: { account: "/.+/", labels: { tier: vip } }, actions: [push] }
  - { match: { account: bob, name: "Upper/*" }, actions: [push] }`,
      { allow: ['bob pull x'], deny: ['bob push x'] },
    ],
  ];
  test.each(cases)('%s', (_what, acl, { allow, deny }) => {
    const { compiled, skipped, text } = imported(`${people}acl:${acl}\n`);
    expect(skipped).toEqual([]);
    expect(
      allow.filter((question) => !may(compiled, question)),
      text,
    ).toEqual([]);
    expect(
      deny.filter((question) => may(compiled, question)),
      text,
    ).toEqual([]);
  });

  test('nobody is anonymous where docker_auth asked everybody to log in', () => {
    const { compiled } = imported(`users: { bob: { password: "${hash}" } }\nacl: [{ match: {}, actions: [pull] }]\n`);
    expect(may(compiled, 'bob pull x')).toBe(true);
    expect(may(compiled, ' pull x')).toBe(false);
  });
});

describe('what has no counterpart is named, and gives nothing', () => {
  const cases: readonly (readonly [what: string, entry: string, reason: RegExp])[] = [
    ['labels', '{ match: { account: "/.+/", labels: { group: dev } }, actions: ["*"] }', /labels/],
    ['a service', '{ match: { service: registry }, actions: ["*"] }', /service/],
    ['a misspelt condition', '{ match: { team: infrastructure }, actions: ["*"] }', /"team"/],
    ['an expression over names', '{ match: { name: "/^team-[ab]/" }, actions: ["*"] }', /name pattern/],
    ['a single character of a name', '{ match: { name: "team-?" }, actions: ["*"] }', /name pattern/],
    ['a class of characters', '{ match: { name: "team[^a]b" }, actions: ["*"] }', /name pattern/],
    ['other placeholders', '{ match: { name: "${labels:project}/*" }, actions: ["*"] }', /name pattern/],
    ['an expression over accounts', '{ match: { account: "/^nobody-/" }, actions: ["*"] }', /account pattern/],
    ['a pattern over accounts', '{ match: { account: "dev-*" }, actions: ["*"] }', /account pattern/],
    ['a number for a name', '{ match: { account: 123 }, actions: ["*"] }', /quotes/],
    ['a malformed address', '{ match: { ip: "10.0.0.0/8/9" }, actions: ["*"] }', /ip/],
  ];
  test.each(cases)('%s', (_what, entry, reason) => {
    const { compiled, skipped, text } = imported(`${people}acl:\n  - ${entry}\n`);
    expect(skipped).toEqual([expect.stringMatching(reason)]);
    expect(skipped[0]).toMatch(/^7: /);
    expect(text).toMatch(/^ {2}# Line 7, not taken over: /m);
    expect(compiled.policy.rules.filter(({ effect }) => effect === 'allow')).toEqual([]);
  });

  test('an entry that cannot be said still keeps later ones from giving more', () => {
    const { compiled, skipped } = imported(
      `${people}acl:\n  - { match: { labels: { a: b }, name: "x/*" }, actions: [] }\n  - { match: { account: bob }, actions: [pull] }\n`,
    );
    expect(may(compiled, 'bob pull y')).toBe(true);
    expect(may(compiled, 'bob pull x/y')).toBe(false);
    expect(skipped).toHaveLength(1);
  });

  test('other sources of accounts and rules, users without a password, hashes and names of no use', () => {
    const { skipped, compiled } = imported(
      `ldap_auth: { addr: x }\nusers:\n  open: {}\n  old: { password: "$1$abc" }\n  "a/b": { password: "${hash}" }\nacl_mongo: {}\n`,
    );
    expect(skipped.map((line) => line.slice(0, 24))).toEqual([
      '1: "ldap_auth" is anothe',
      '3: user "open" was let i',
      '4: user "old" has no usa',
      '5: "a/b" cannot be an ac',
      '6: "acl_mongo" is anothe',
    ]);
    expect([...compiled.policy.users.values()].map(({ name, password }) => [name, password])).toEqual([
      ['open', undefined],
      ['old', undefined],
    ]);
  });

  test.each([
    ['an entry without match', 'acl:\n  - actions: [pull]\n', 2],
    ['an entry without actions', 'acl:\n  - match: {}\n', 2],
    ['an access list that is no list', 'acl: { match: {} }\n', 1],
    ['a file that is not YAML', 'acl: [\n', 2],
  ])('%s is a problem with its line', (_what, text, line) => {
    const result = importDockerAuth('auth.yml', text);
    expect(result).toMatchObject({ ok: false, problems: [expect.objectContaining({ line })] });
  });

  test('an account that only the list names exists, but cannot log in', () => {
    const { compiled } = imported('acl:\n  - { match: { account: "1e3" }, actions: [pull] }\n');
    expect(compiled.policy.users.get('1e3')).toMatchObject({ name: '1e3', disabled: false });
    expect(compiled.policy.users.get('1e3')?.password).toBeUndefined();
  });
});

test('comments of the original and hostile text stay inside comments', () => {
  const { text, compiled } = imported(
    `${people}acl:\n  - match: { name: "x\\nrules: [pwned]" }\n    actions: [pull]\n    comment: "a \\"b\\" é\\nusers: {}"\n`.replace(
      /\\n/g,
      ' ',
    ),
  );
  expect(text).toContain('# "a \\"b\\" \\u00e9');
  expect(compiled.policy.rules).toEqual([]);
});

// --- against a reading of docker_auth itself ------------------------------------------------------------------------

interface Match {
  readonly account?: string | undefined;
  readonly type?: string | undefined;
  readonly name?: string | undefined;
  readonly ip?: string | undefined;
  readonly labels?: Readonly<Record<string, string>> | undefined;
}
interface Acl {
  readonly match: Match;
  readonly actions: readonly string[];
}
interface Request {
  readonly account: string;
  readonly type: string;
  readonly name: string;
  readonly ip: string;
  readonly action: string;
}

/** acl.go: the first entry whose conditions all hold; `["*"]` gives what was asked, others what they list. */
function dockerAuthAllows(acl: readonly Acl[], labels: Readonly<Record<string, string>>, request: Request): boolean {
  const variables = { account: request.account, type: request.type, name: request.name, service: 'registry' };
  const first = acl.find(
    ({ match }) =>
      goMatch(match.account, request.account, variables) &&
      goMatch(match.type, request.type, variables) &&
      goMatch(match.name, request.name, variables) &&
      (match.ip === undefined || inNetworks([match.ip], request.ip)) &&
      Object.entries(match.labels ?? {}).every(([key, pattern]) => goMatch(pattern, labels[key] ?? '', variables)),
  );
  if (first === undefined) return false;
  return (first.actions.length === 1 && first.actions[0] === '*') || first.actions.includes(request.action);
}

/** Each pattern is asked about hundreds of requests. */
const compiledPatterns = new Map<string, RegExp>();

function goMatch(pattern: string | undefined, text: string, variables: Readonly<Record<string, string>>): boolean {
  if (pattern === undefined) return true;
  const replaced = pattern.replace(/\$\{(\w+)\}/g, (_all, name: string) =>
    (variables[name] ?? '').replace(/[\\.+*?()|[\]{}^$]/g, '\\$&'),
  );
  const compiled = compiledPatterns.get(replaced) ?? compileGoPattern(replaced);
  compiledPatterns.set(replaced, compiled);
  return compiled.test(text);
}

function compileGoPattern(replaced: string): RegExp {
  if (replaced.length > 2 && replaced.startsWith('/') && replaced.endsWith('/')) {
    return new RegExp(replaced.slice(1, -1));
  }
  const source = replaced.replace(/\\([^])|([^])/g, (_all, escaped: string | undefined, plain: string | undefined) => {
    if (plain === '*') return '[^/]*';
    if (plain === '?') return '[^/]';
    return (escaped ?? plain ?? '').replace(/[\\.+*?()|[\]{}^$/-]/g, '\\$&');
  });
  return new RegExp(`^(?:${source})$`);
}

const accounts = ['', 'bob', 'eve', 'dev-1', 'secret', 'a', 'b.c'];
const pattern = fc.constantFrom(
  ...[undefined, undefined, 'a', '*', '*/*', 'a/*', 'a/b', '*/b', 'a*/b', '**', 'a/**', '${account}/*', '${account}'],
  ...['secret/*', 'bob/*', 'b?/*', '/^a/', '/b$/', '/.+/', 'catalog', 'c*', 'Foo/*', '${account}*/b', 'a/\\*', 'a/\\b'],
);
const entry = fc.record({
  match: fc.record({
    account: fc.constantFrom(
      ...[undefined, undefined, '', 'bob', 'eve', '/.+/', '/.+/', '/.*/', '*', '/^(bob|eve)$/', '/^dev-1$/'],
      ...['dev-*', '/b/', 'nobody', '${account}'],
    ),
    type: fc.constantFrom(undefined, undefined, undefined, 'repository', 'registry', 're*'),
    name: pattern,
    ip: fc.constantFrom(undefined, undefined, undefined, undefined, '10.1.0.0/16', '10.1.2.3'),
    labels: fc.constantFrom(undefined, undefined, undefined, undefined, undefined, { tier: 'vip' }),
  }),
  actions: fc.oneof(
    fc.constantFrom<readonly string[]>(['*'], [], ['*', 'pull']),
    fc.uniqueArray(fc.constantFrom('pull', 'push', 'delete'), { maxLength: 3 }),
  ),
});
const config = fc.record({
  acl: fc.array(entry, { minLength: 1, maxLength: 6 }),
  anonymous: fc.boolean(),
  labels: fc.constantFrom({}, { tier: 'vip' }),
});
const names = [
  'a',
  'b',
  'a/b',
  'a/c',
  'ab/b',
  'secret/a',
  'bob/a',
  'eve/b',
  'b.c/a',
  'a/b/c',
  'bob',
  'catalog',
  'ca',
  'bobx/b',
];

function compare(
  { acl, anonymous, labels }: { acl: readonly Acl[]; anonymous: boolean; labels: Readonly<Record<string, string>> },
  judge: (request: Request, there: boolean, here: boolean) => void,
): void {
  const users = Object.fromEntries(accounts.filter((name) => name !== '').map((name) => [name, { password: hash }]));
  // As JSON: undefined conditions are left out and everything is in quotes.
  const source = JSON.stringify({ users: { ...users, ...(anonymous ? { '': {} } : {}) }, acl });
  const { compiled, skipped, text } = imported(source);
  for (const account of accounts) {
    for (const ip of ['10.1.2.3', '10.9.9.9']) {
      const isServed = account !== '' || anonymous;
      const principal = account === '' ? ({ kind: 'anonymous' } as const) : ({ kind: 'user', name: account } as const);
      const catalog = { account, type: 'registry', name: 'catalog', ip, action: '*' };
      const mayList = isServed && dockerAuthAllows(acl, labels, catalog);
      for (const name of names) {
        for (const action of ['pull', 'push', 'delete'] as const) {
          const request = { account, type: 'repository', name, ip, action };
          const there = isServed && dockerAuthAllows(acl, labels, request);
          const question = { principal, action, repository: name, address: ip, now: 0 };
          const here = compiled.decide({ ...question, readWhilePushing: true }).allowed;
          judgeWith(request, there, here);
        }
        const shown = compiled.decide({ principal, action: 'catalog', repository: name, address: ip, now: 0 });
        judgeWith({ ...catalog, name }, mayList, shown.allowed);
      }
    }
  }
  function judgeWith(request: Request, there: boolean, here: boolean): void {
    try {
      judge(request, there, here);
    } catch (error) {
      throw new Error(
        `${JSON.stringify(request)}: there ${there}, here ${here}\n${stringify(acl)}\n${text}\n${skipped.join('\n')}`,
        { cause: error },
      );
    }
  }
}

describe('for any access list', () => {
  test('nobody may do more than docker_auth allowed', () => {
    fc.assert(
      fc.property(config, (shape) => {
        compare(shape, (_request, there, here) => {
          if (here && !there) throw new Error('more than before');
        });
      }),
      { numRuns: sized(150) },
    );
  });

  test('where nothing is reported as lost, nobody may do less either', () => {
    fc.assert(
      fc.property(config, (shape) => {
        const users = Object.fromEntries(accounts.map((name) => [name, name === '' ? {} : { password: hash }]));
        fc.pre(
          imported(JSON.stringify({ users: shape.anonymous ? users : { ...users, '': null }, acl: shape.acl })).skipped
            .length === 0,
        );
        compare(shape, (_request, there, here) => {
          if (there && !here) throw new Error('less than before');
        });
      }),
      { numRuns: sized(60) },
    );
  });
});

describe('an account pattern, where the accounts are in the same file', () => {
  const crew = `users:
  dev-ann: { password: "${hash}" }
  dev-bob: { password: "${hash}" }
  ops-eve: { password: "${hash}" }
`;
  const acl = (account: string): string => `acl:
  - { match: { account: "${account}", name: "dev/*" }, actions: ["*"] }
  - { match: { name: "*/*" }, actions: [pull] }
`;

  test.each(['/^dev-/', '/^dev-(ann|bob)$/', '/-(ann|bob)/', 'dev-*', '/^[de]+v-.*$/'])(
    '%s is said of each of them, and voids nothing that follows',
    (account) => {
      const { compiled, skipped } = imported(crew + acl(account));
      expect(skipped).toEqual([]);
      expect(['dev-ann', 'dev-bob', 'ops-eve'].map((name) => may(compiled, `${name} push dev/app`))).toEqual([
        true,
        true,
        false,
      ]);
      expect(['dev-ann', 'ops-eve'].map((name) => may(compiled, `${name} pull other/app`))).toEqual([true, true]);
    },
  );

  test('is said to be about them only where others may log in too', () => {
    const { skipped } = imported(`${crew}${acl('/^dev-/')}ldap_auth: {}\n`);
    expect(skipped.join('\n')).toContain('given to the users of this file that the account pattern matches');
  });

  test.each(['/(a+)+$/', '/^(?i)dev/', '/^dev-(?!ann)/', '/dev-\\\\p{L}/'])('%s is not guessed at', (account) => {
    const { compiled } = imported(crew + acl(account));
    expect(may(compiled, 'dev-ann push dev/app')).toBe(false);
  });
});

test('alternatives of repositories become one pattern each', () => {
  const { compiled, skipped } = imported(
    `users: { bob: { password: "${hash}" } }\nacl: [{ match: { account: bob, name: "/^(foo|bar)\\\\/[^\\\\/]+$/" }, actions: [pull] }]\n`.replaceAll(
      '[^\\\\/]',
      '[^/]',
    ),
  );
  expect(skipped).toEqual([]);
  expect(['foo/x', 'bar/x', 'baz/x', 'foo', 'foo/x/y'].map((name) => may(compiled, `bob pull ${name}`))).toEqual([
    true,
    true,
    false,
    false,
    false,
  ]);
});

test('what stands twice where nothing is said of accounts or rules does not matter', () => {
  const text = `server:
  addr: ":5001"
  addr: ":5002"
users: { bob: { password: "${hash}" } }
token: { issuer: a, issuer: b }
server: {}
acl: [{ match: { account: bob }, actions: [pull] }]
`;
  expect(may(imported(text).compiled, 'bob pull x')).toBe(true);
  const twice = importDockerAuth('auth.yml', text.replace('bob: {', 'bob: {}, bob: {'));
  expect(twice.ok).toBe(false);
});
