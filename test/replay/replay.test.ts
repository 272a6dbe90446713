/** What each kind of record comes to under another policy, and what nobody can say. */
import { describe, expect, test } from 'vitest';
import { parseScopes } from '../../src/distribution/scope.ts';
import type { AuditRecord } from '../../src/ports.ts';
import { readPolicy } from '../support/policies.ts';
import { access, dana, lineOf, noon, replayed, told, unsure } from './support/records.ts';

const accounts = `
groups: { devs: , outer: { from: ['ldap:outer'] }, late: { from: ['ldap:late'] } }
users: { dana: { groups: [devs] }, gone: { groups: [devs], disabled: true } }
robots:
  bot:
    groups: [devs]
    tokens:
      - { id: wide, sha256: ${'a'.repeat(64)} }
      - { id: stale, sha256: ${'b'.repeat(64)}, expires: 2026-11-20 }
      - { id: reads, sha256: ${'c'.repeat(64)}, actions: [pull] }
      - { id: there, sha256: ${'d'.repeat(64)}, repositories: ['there/**'] }
workloads:
  ci: { issuer: https://issuer.test, audience: us, claims: { ref: 'refs/heads/*' }, groups: [devs] }
`.replace('{ devs: , outer', '{ devs: {}, outer');
const all =
  "{ name: all, subjects: [everyone], repositories: ['**'], actions: [pull, push, delete, catalog, promote] }";
const policyOf = (...rules: readonly string[]) =>
  readPolicy(`${accounts}\nrules:\n${rules.map((rule) => `  - ${rule}\n`).join('')}`);
const open = policyOf(all);
const shut = policyOf("{ name: elsewhere, subjects: [everyone], repositories: ['else/**'], actions: [pull] }");
const readOnly = policyOf("{ name: read, subjects: [everyone], repositories: ['**'], actions: [pull] }");
const pushOnly = policyOf("{ name: write, subjects: [everyone], repositories: ['**'], actions: [push] }");
const once = policyOf(
  all,
  "{ name: once, effect: deny, subjects: [everyone], repositories: ['**'], actions: [overwrite] }",
);
const byTag = policyOf(
  all,
  "{ name: kept, effect: deny, subjects: [everyone], repositories: ['**'], tags: ['v*'], actions: [delete] }",
);

const digest = `sha256:${'0'.repeat(64)}`;
const one = (record: Partial<AuditRecord>) => [lineOf(access(record))];
const denied = { decision: 'deny', reason: 'no_rule', rule: undefined, status: 403 } as const;

describe('a record of', () => {
  test.each<[string, Partial<AuditRecord>, string]>([
    ['a pull by tag', {}, 'pull a/b'],
    ['a pull by digest', { reference: digest, digest }, 'pull a/b'],
    ['a layer', { route: 'blob', reference: undefined, digest }, 'pull a/b'],
    ['a list of tags', { route: 'tags', reference: undefined }, 'pull a/b'],
    ['what refers to an image', { route: 'referrers', reference: undefined, digest }, 'pull a/b'],
    ['the catalog', { route: 'catalog', action: 'catalog', repository: undefined, reference: undefined }, 'catalog *'],
    ['a push', { httpMethod: 'PUT', action: 'push' }, 'push a/b'],
    ['a push by digest', { httpMethod: 'PUT', action: 'push', reference: digest }, 'push a/b'],
    ['an upload', { httpMethod: 'PATCH', route: 'upload', action: 'push', reference: 'PATCH upload' }, 'push a/b'],
    ['the deletion of a tag', { httpMethod: 'DELETE', action: 'delete' }, 'delete a/b'],
    ['the deletion of a manifest', { httpMethod: 'DELETE', action: 'delete', reference: digest }, 'delete a/b'],
    [
      'the deletion of a layer',
      { httpMethod: 'DELETE', route: 'blob', action: 'delete', reference: undefined, digest },
      'delete a/b',
    ],
    ['what failed behind', { decision: 'error', reason: 'upstream_timeout' }, 'pull a/b'],
  ])('%s is lost where no rule allows it, and gained where one does', (_, record, what) => {
    expect(told(replayed(one(record), shut))).toEqual([`- user:dana ${what} 1×`]);
    expect(told(replayed(one(record), open))).toEqual([]);
    expect(told(replayed(one({ ...record, ...denied }), open))).toEqual([`+ user:dana ${what} 1×`]);
    expect(told(replayed(one({ ...record, ...denied }), shut))).toEqual([]);
  });

  test('reading goes on for who pushes: of manifests and layers, not of lists', () => {
    expect(told(replayed(one({}), pushOnly))).toEqual([]);
    expect(told(replayed(one({ route: 'blob', reference: undefined, digest }), pushOnly))).toEqual([]);
    expect(told(replayed(one({ route: 'tags', reference: undefined }), pushOnly))).toEqual(['- user:dana pull a/b 1×']);
    expect(told(replayed(one({ route: 'referrers', reference: undefined, digest }), pushOnly))).toHaveLength(1);
  });

  test('anonymous callers', () => {
    const record = { account: '', kind: 'anonymous', method: undefined } as const;
    expect(told(replayed(one(record), shut))).toEqual(['- anonymous pull a/b 1×']);
    expect(told(replayed(one({ ...record, ...denied, reason: 'anonymous_refused' }), open))).toEqual([
      '+ anonymous pull a/b 1×',
    ]);
  });

  test('a mount that was one is lost where its source may not be read', () => {
    const mount = {
      httpMethod: 'POST',
      route: 'upload',
      action: 'push',
      reference: 'POST upload',
      from: 'c/d',
    } as const;
    const into = policyOf("{ name: into, subjects: [everyone], repositories: ['a/**'], actions: [push] }");
    expect(told(replayed(one({ ...mount, status: 201 }), into))).toEqual(['- user:dana mount c/d 1×']);
    expect(told(replayed(one({ ...mount, status: 202 }), into))).toEqual([]);
    expect(told(replayed(one({ ...mount, status: 202 }), into, { base: open }))).toEqual(['- user:dana mount c/d 1×']);
  });

  test('a token, action by action, and of what was asked for in vain', () => {
    const token = { event: 'token', decision: 'allow', reason: 'granted_partly', ...dana, route: 'token' } as const;
    const scopes = {
      scope: 'repository:a/b:pull repository:c/d:',
      asked: 'repository:a/b:pull,push repository:c/d:pull registry:catalog:*',
    };
    expect(told(replayed([lineOf({ ...token, ...scopes })], shut))).toEqual(['- user:dana token:pull a/b 1×']);
    expect(told(replayed([lineOf({ ...token, ...scopes })], open))).toEqual([
      '+ user:dana token:catalog * 1×',
      '+ user:dana token:pull c/d 1×',
      '+ user:dana token:push a/b 1×',
    ]);
    const login = { event: 'login', decision: 'allow', reason: 'granted', ...dana, account: 'nobody' } as const;
    expect(told(replayed([lineOf(login)], open))).toEqual(['- user:nobody login * 1×']);
  });

  test('a promotion: by its target and by its source', () => {
    const promotion: Partial<AuditRecord> = {
      ...{
        event: 'promotion',
        decision: 'allow',
        reason: 'promoted',
        rule: 'some',
        ...dana,
        route: 'api',
        action: 'promote',
      },
      ...{ repository: 'a/b', reference: 'v1', from: 'c/d:build-1', writes: 'create' },
    };
    const target = policyOf("{ name: to, subjects: [everyone], repositories: ['a/**'], actions: [promote] }");
    const [loses] = replayed([lineOf(promotion)], target).lost;
    expect(loses).toMatchObject({ action: 'promote', repository: 'a/b', tags: ['v1'] });
    expect(told(replayed([lineOf(promotion)], readOnly))).toEqual(['- user:dana promote a/b 1×']);
    expect(told(replayed([lineOf(promotion)], open))).toEqual([]);
    expect(told(replayed([lineOf(promotion)], once))).toEqual([]);
    expect(told(replayed([lineOf({ ...promotion, writes: 'overwrite' })], once))).toEqual([
      '- user:dana promote a/b 1×',
    ]);
    expect(unsure(replayed([lineOf({ ...promotion, writes: undefined })], once))).toEqual({ tag: 1 });
    const taken = { ...promotion, decision: 'deny', reason: 'tag_taken', writes: undefined } as const;
    expect(told(replayed([lineOf(taken)], open))).toEqual(['+ user:dana promote a/b 1×']);
    expect(told(replayed([lineOf(taken)], once))).toEqual([]);
  });
});

describe('whoever is gone', () => {
  test.each([
    ['an account', { account: 'nobody' }, 'the account is gone'],
    ['a disabled one', { account: 'gone' }, 'the account is disabled'],
    ['another kind of that name', { account: 'dana', kind: 'robot', secret: 'wide' } as const, 'the account is gone'],
    ['a secret', { account: 'bot', kind: 'robot', secret: 'lost' } as const, 'its secret lost is gone'],
    [
      'a secret that has expired by then',
      { account: 'bot', kind: 'robot', secret: 'stale' } as const,
      'its secret stale has expired',
    ],
    [
      'somebody from outside whose name a robot has',
      { account: 'bot', outside: 'ldap', groups: [] } as const,
      'the files give its name to another account',
    ],
    [
      'somebody from outside who is shut out',
      { account: 'GONE', outside: 'ldap', groups: [] } as const,
      'the account is disabled',
    ],
  ])('loses all: %s', (_, who, why) => {
    expect(replayed(one(who), open).lost).toMatchObject([{ why }]);
  });

  test('a secret reaches as far as the files say now', () => {
    const bot = { account: 'bot', kind: 'robot', method: 'robot-token' } as const;
    const push = { httpMethod: 'PUT', action: 'push', writes: 'create' } as const;
    expect(told(replayed(one({ ...bot, ...push, secret: 'wide' }), open))).toEqual([]);
    expect(replayed(one({ ...bot, ...push, secret: 'reads' }), open).lost).toMatchObject([
      { why: 'its secret was not made for it' },
    ]);
    expect(told(replayed(one({ ...bot, secret: 'there' }), open))).toHaveLength(1);
    expect(told(replayed(one({ ...bot, secret: 'there', repository: 'there/a' }), open))).toEqual([]);
    expect(unsure(replayed(one({ ...bot, secret: undefined }), open))).toEqual({ secret: 1 });
  });

  test('an access token of a person reaches as far as it was made for', () => {
    const own = { method: 'personal-token', secret: 'k3v9' } as const;
    expect(told(replayed(one({ ...own, reach: { repositories: ['a/**'], actions: ['pull'] } }), open))).toEqual([]);
    const narrow = { ...own, reach: { repositories: ['x/**'] } };
    expect(told(replayed(one({ ...narrow, ...denied, reason: 'secret_narrow' }), open))).toEqual([]);
    expect(unsure(replayed(one(own), open))).toEqual({ secret: 1 });
  });
});

describe('people from outside', () => {
  const outer = policyOf("{ name: outer, subjects: ['group:outer'], repositories: ['**'], actions: [pull] }");
  const late = policyOf("{ name: late, subjects: ['group:late'], repositories: ['a/**'], actions: [pull] }");
  const who = { account: 'ola', outside: 'ldap', groups: ['ldap:outer'] } as const;

  test('are in the groups that are mapped now', () => {
    expect(told(replayed(one(who), outer))).toEqual([]);
    expect(told(replayed(one({ ...who, groups: ['ldap:Outer'] }), outer))).toEqual([]);
    expect(told(replayed(one({ ...who, groups: [] }), outer, { base: outer }))).toEqual([]);
    expect(told(replayed(one({ ...who, outside: 'htpasswd' as const, groups: ['htpasswd:outer'] }), outer))).toEqual([
      '- user:ola pull a/b 1×',
    ]);
    expect(told(replayed(one({ ...who, outside: undefined }), outer))).toEqual([]);
  });

  test('may be in groups that nobody asked about then: only what hangs on them cannot be told', () => {
    expect(unsure(replayed(one({ ...who, ...denied }), late))).toEqual({ groups: 1 });
    expect(unsure(replayed(one({ ...who, ...denied, repository: 'x/y' }), late))).toEqual({});
    expect(unsure(replayed(one(who), outer))).toEqual({});
    expect(unsure(replayed(one({ ...who, ...denied }), late, { base: outer }))).toEqual({});
    expect(unsure(replayed(one({ ...who, ...denied, policy: 'another' }), late))).toEqual({});
    expect(unsure(replayed(one({ ...who, outside: undefined, groups: [] }), open))).toEqual({ groups: 1 });
  });
});

describe('a workload', () => {
  const login = {
    event: 'login',
    decision: 'allow',
    reason: 'granted',
    account: 'ci',
    kind: 'workload',
    method: 'workload',
  } as const;
  const shown = { issuer: 'https://issuer.test', claims: { ref: 'refs/heads/main' } };

  test('is let in by what it showed, as far as that is written down', () => {
    expect(told(replayed([lineOf({ ...login, ...shown })], open))).toEqual([]);
    expect(replayed([lineOf({ ...login, ...shown, issuer: 'https://other.test' })], open).lost).toMatchObject([
      { why: 'tokens of its issuer are no longer taken' },
    ]);
    expect(replayed([lineOf({ ...login, ...shown, claims: { ref: 'refs/tags/v1' } })], open).lost).toMatchObject([
      { why: 'its claim ref has another value' },
    ]);
    expect(unsure(replayed([lineOf({ ...login, ...shown, claims: {} })], open))).toEqual({ claims: 1 });
    expect(unsure(replayed([lineOf({ ...login, ...shown, claims: { ref: 'a b' } })], open))).toEqual({ claims: 1 });
    const long = { ref: `refs/heads/${'x'.repeat(300)}` };
    expect(told(replayed([lineOf({ ...login, ...shown, claims: long })], open))).toEqual([]);
    const cut = { ref: `refs/heads/${'x'.repeat(245)}…` };
    expect(unsure(replayed([lineOf({ ...login, ...shown, claims: cut })], open))).toEqual({ cut: 1 });
    expect(told(replayed([lineOf({ ...login, ...shown, claims: {} })], open, { base: open }))).toEqual([]);
    const other = readPolicy(accounts.replace('audience: us', 'audience: them'), `rules: [${all}]`);
    expect(unsure(replayed([lineOf({ ...login, ...shown })], other, { base: open }))).toEqual({ claims: 1 });
  });
});

describe('nobody can say', () => {
  const push = { httpMethod: 'PUT', action: 'push' } as const;

  test('whether a push made its tag or moved it, unless the record does', () => {
    expect(unsure(replayed(one(push), once))).toEqual({ tag: 1 });
    expect(told(replayed(one({ ...push, writes: 'create' }), once))).toEqual([]);
    expect(told(replayed(one({ ...push, writes: 'repeat' }), once))).toEqual([]);
    expect(told(replayed(one({ ...push, writes: 'attach' }), once))).toEqual([]);
    expect(told(replayed(one({ ...push, writes: 'overwrite' }), once))).toEqual(['- user:dana push a/b 1×']);
    expect(told(replayed(one({ ...push, ...denied, action: 'overwrite' }), open))).toEqual(['+ user:dana push a/b 1×']);
    expect(told(replayed(one({ ...push, ...denied, action: 'overwrite' }), once))).toEqual([]);
    const list = { reference: `sha256-${'0'.repeat(64)}`, ...denied, action: 'overwrite' };
    expect(unsure(replayed(one({ ...push, ...list }), once))).toEqual({ tag: 1 });
    expect(unsure(replayed(one(push), once, { base: open }))).toEqual({ tag: 1 });
    expect(told(replayed(one(push), once, { base: once }))).toEqual([]);
  });

  test('it of several tags, of which one was refused', () => {
    const several = { ...push, reference: digest, tags: ['v1', 'v2'] };
    expect(unsure(replayed(one({ ...several, ...denied, action: 'overwrite' }), once))).toEqual({ tag: 1 });
    expect(told(replayed(one(several), shut))).toEqual(['- user:dana push a/b 1×']);
    expect(replayed(one(several), shut).lost).toMatchObject([{ tags: ['v1', 'v2'] }]);
  });

  test('which tags led to an image that was deleted by its digest', () => {
    const gone = { httpMethod: 'DELETE', action: 'delete', reference: digest } as const;
    expect(unsure(replayed(one(gone), byTag))).toEqual({ tags: 1 });
    expect(unsure(replayed(one(gone), byTag, { base: open }))).toEqual({ tags: 1 });
    expect(unsure(replayed(one(gone), byTag, { base: byTag }))).toEqual({});
    expect(told(replayed(one(gone), shut))).toEqual(['- user:dana delete a/b 1×']);
  });

  test('what a gate would find; what is known of it is said', () => {
    const gate = (from: string) => `gates: [{ name: g, repositories: ['a/**'], from: ['${from}/**'] }]`;
    const [gated, other] = ['c', 'd'].map((from) => readPolicy(accounts, `rules: [${all}]`, gate(from)));
    const refused = { ...push, decision: 'deny', reason: 'gate_refused', gate: 'g', status: 403 } as const;
    if (gated === undefined || other === undefined) throw new Error('unreachable');
    expect(unsure(replayed(one(push), gated))).toEqual({ gate: 1 });
    expect(unsure(replayed(one(push), gated, { base: open }))).toEqual({ gate: 1 });
    expect(unsure(replayed(one(push), gated, { base: other }))).toEqual({ gate: 1 });
    expect(told(replayed(one(push), gated, { base: gated }))).toEqual([]);
    expect(told(replayed(one(push), open, { base: gated }))).toEqual([]);
    expect(told(replayed(one(refused), open))).toEqual(['+ user:dana push a/b 1×']);
    expect(replayed(one(refused), open).gained).toMatchObject([{ was: 'gate g' }]);
    expect(told(replayed(one(refused), gated, { base: gated }))).toEqual([]);
    expect(told(replayed(one(refused), open, { base: gated }))).toEqual(['+ user:dana push a/b 1×']);
    expect(unsure(replayed(one(refused), other, { base: gated }))).toEqual({ gate: 1 });
    expect(told(replayed(one(refused), shut, { base: gated }))).toEqual([]);
    expect(told(replayed(one({ ...push, route: 'upload' }), gated))).toEqual([]);
    expect(
      unsure(replayed(one({ ...push, decision: 'error', reason: 'gate_unknown' }), gated, { base: other })),
    ).toEqual({ gate: 1 });
  });

  test('how limits would have counted', () => {
    const limited = readPolicy(
      accounts,
      `rules: [${all}]`,
      'limits: [{ name: few, subjects: [everyone], count: pull, per: account, rate: 1/6h }]',
    );
    const held = { event: 'limit', decision: 'deny', reason: 'limit_reached', rule: 'few', status: 429 } as const;
    expect(unsure(replayed(one(held), shut))).toEqual({ limit: 1 });
    expect(told(replayed(one(held), open))).toEqual([]);
    expect(unsure(replayed(one({}), limited, { base: open }))).toEqual({ limit: 1 });
    expect(unsure(replayed(one({}), limited, { base: limited }))).toEqual({});
    expect(unsure(replayed(one({ httpMethod: 'HEAD' }), limited, { base: open }))).toEqual({});
    expect(unsure(replayed(one({ route: 'blob', reference: undefined, digest }), limited, { base: open }))).toEqual({});
    expect(told(replayed(one({}), shut, { base: limited }))).toEqual(['- user:dana pull a/b 1×']);
  });

  test('it of a request during which a time in a rule passed', () => {
    const ice = policyOf(
      all,
      "{ name: ice, effect: deny, subjects: [everyone], repositories: ['**'], actions: [push], when: { after: 2026-11-20T11:59:59Z } }",
    );
    expect(unsure(replayed(one({ ...push, writes: 'create', durationMs: 5000 }), ice))).toEqual({ time: 1 });
    expect(told(replayed(one({ ...push, durationMs: 500 }), ice))).toEqual(['- user:dana push a/b 1×']);
    expect(told(replayed(one({ ...push, durationMs: 5000 }), ice, { at: noon - 86_400_000 }))).toEqual([]);
    expect(told(replayed(one({ ...push, durationMs: 5000 }), ice, { at: noon + 86_400_000 }))).toHaveLength(1);
  });

  test('nothing of the longest token that there can be', () => {
    const scope = Array.from({ length: 300 }, (_, at) => `repository:team-${at}/${'x'.repeat(40)}:pull,push`).join(' ');
    expect(parseScopes([scope])).toHaveLength(300);
    const token = { event: 'token', decision: 'allow', reason: 'granted', ...dana } as const;
    const line = lineOf({ ...token, scope: scope.replaceAll(',push', ''), asked: scope });
    expect(unsure(replayed([line], open))).toEqual({});
    expect(told(replayed([line], shut))).toHaveLength(300);
  });

  test('what a cut text was, or what an older version left out', () => {
    const cut = `repository:a/b:pull ${'x'.repeat(256)}`.slice(0, 256) + '…';
    const token = { event: 'token', decision: 'allow', reason: 'granted', ...dana, scope: cut } as const;
    expect(unsure(replayed([lineOf(token)], open))).toEqual({ cut: 1 });
    expect(unsure(replayed(one({ route: undefined }), open))).toEqual({ older: 1 });
    expect(unsure(replayed(one({ reference: undefined }), open))).toEqual({ older: 1 });
  });

  test('whether somebody could have logged in whom only the new policy knows', () => {
    const login = { event: 'login', decision: 'deny', reason: 'account_unknown', account: 'dana' } as const;
    expect(unsure(replayed([lineOf(login)], open))).toEqual({ login: 1 });
    expect(unsure(replayed([lineOf({ ...login, account: 'nobody' })], open))).toEqual({});
    expect(unsure(replayed([lineOf(login)], open, { base: open }))).toEqual({});
  });

  test('but what this policy itself decided then, it decides again', () => {
    for (const record of [push, { httpMethod: 'DELETE', action: 'delete', reference: digest }] as const)
      for (const policy of [once, byTag]) {
        const found = replayed(one({ ...record, policy: 'own' }), policy, { revision: 'own' });
        expect([unsure(found), told(found)]).toEqual([{}, []]);
      }
  });
});

describe('what decided is no rule', () => {
  test.each<[string, Partial<AuditRecord>]>([
    ['no credentials', { ...denied, reason: 'credentials_missing', account: undefined, kind: undefined }],
    ['a token that does not reach', { ...denied, reason: 'scope_insufficient' }],
    ['a login that has ended', { ...denied, reason: 'token_revoked', rule: 'all' }],
    ['a name that is none', { ...denied, reason: 'name_invalid' }],
    ['a registry that only reads', { ...denied, reason: 'upstream_read_only' }],
    ['a wrong password', { ...denied, event: 'login', reason: 'password_wrong', kind: undefined }],
    ['somebody held back', { ...denied, event: 'limit', reason: 'login_held', kind: undefined }],
    ['a ping', { route: 'ping', action: 'login', reason: 'authenticated', rule: undefined }],
    ['the page', { route: 'ui', action: undefined }],
  ])('%s', (_, record) => {
    for (const policy of [open, shut])
      for (const terms of [{}, { base: open }]) {
        const found = replayed(one(record), policy, terms);
        expect([told(found), unsure(found), found.undecided]).toEqual([[], {}, 1]);
      }
  });
});

test('rows are put together, and say how often, when last, which tags and why', () => {
  const lines = ['a', 'b', 'b', 'c', 'd'].map((tag, at) => lineOf(access({ reference: tag }), noon + at));
  const { lost, first, last } = replayed(
    lines,
    policyOf("{ name: no, effect: deny, subjects: [everyone], repositories: ['**'], actions: [pull] }"),
  );
  expect(lost).toMatchObject([
    {
      subject: 'user:dana',
      action: 'pull',
      repository: 'a/b',
      count: 5,
      last: noon + 4,
      tags: ['a', 'b', 'c'],
      moreTags: true,
    },
  ]);
  expect(lost[0]).toMatchObject({ why: 'rule "no" (0.yaml:16) forbids it', was: 'rule some' });
  expect([first, last]).toEqual([noon, noon + 4]);
});

test('records from before are left out', () => {
  const lines = [lineOf(access({}), noon - 1), lineOf(access({}), noon)];
  expect(replayed(lines, shut, { since: noon }).judged).toBe(1);
});

test('rules in shadow mode decide nothing, and are told', () => {
  const shadow = policyOf(
    all,
    "{ name: trial, effect: deny, mode: shadow, subjects: [everyone], repositories: ['**'], actions: [pull] }",
  );
  const found = replayed(one({}), shadow);
  expect(told(found)).toEqual([]);
  expect([...found.shadow]).toEqual([['trial', 1]]);
});
