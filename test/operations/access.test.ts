/** The questions behind the page Access: as who-can, explain and the gateway answer, and no further than the asker may see. */
import { readFileSync, readdirSync } from 'node:fs';
import fc from 'fast-check';
import { parse } from 'yaml';
import { describe, expect, test } from 'vitest';
import type { RecentRecord } from '../../src/ports/activity.ts';
import type { AuditRecord } from '../../src/ports/audit.ts';
import { type AccessParts, accessOperation, explainOperation } from '../../src/operations/access.ts';
import type { AccessAnswer } from '../../src/operations/access-answers.ts';
import type { Outcome } from '../../src/operations/operation.ts';
import { slices } from '../../src/operations/slices.ts';
import type { Viewer } from '../../src/operations/viewer.ts';
import { explain } from '../../src/policy/analysis/explain.ts';
import { lookAt } from '../../src/policy/analysis/here.ts';
import { wouldAllow } from '../../src/policy/analysis/would-allow.ts';
import { compileByName } from '../../src/policy/by-name.ts';
import { type CompiledPolicy, compilePolicy } from '../../src/policy/evaluate.ts';
import { type Account, type Action, type GroupMember, type Named, actions, entriesOf } from '../../src/policy/model.ts';
import { principalIn } from '../../src/policy/principal.ts';
import { oneRegistry } from '../support/one-registry.ts';
import { readPolicy } from '../support/policies.ts';
import { sized } from '../support/size.ts';

const now = Date.parse('2026-06-03T12:00:00Z');
const shipped = readdirSync('policies')
  .filter((name) => name.endsWith('.yaml'))
  .map((name) => readFileSync(`policies/${name}`, 'utf8'));

function viewerIn(
  compiled: CompiledPolicy,
  name: string,
  more: Partial<Extract<Viewer, { kind: 'caller' }>> = {},
): Viewer {
  const principal = principalIn(compiled.policy, { kind: 'user', name });
  if (principal === undefined) throw new Error(`there is no ${name}`);
  return {
    kind: 'caller',
    caller: { principal, method: 'password', bound: undefined, mark: '', validFrom: 0 },
    policy: compiled,
    circumstances: { now, address: '10.0.0.1' },
    isInPerson: true,
    ...more,
  };
}

function operator(compiled: CompiledPolicy): Viewer {
  return { kind: 'operator', policy: compiled, circumstances: { now } };
}

function partsOf(
  compiled: CompiledPolicy,
  records: readonly (Partial<AuditRecord> & { readonly at?: number })[] = [],
  endedBefore = 0,
  wholeSince = 0,
): AccessParts {
  const all = records.map(({ at = now - 60_000, ...record }, index): RecentRecord => ({
    number: index,
    at,
    record: { event: 'access', decision: 'deny', reason: 'no_rule', kind: 'user', ...record },
  }));
  return {
    policies: { current: () => compiled },
    recent: {
      list: ({ matches = () => true, limit }) => all.filter(({ record, at }) => matches(record, at)).slice(0, limit),
      since: () => wholeSince,
    },
    sessions: { endedBefore: () => endedBefore },
    clock: () => now,
    upstreams: oneRegistry,
  };
}

function answerOf<Answer>(outcome: Outcome<Answer>): Answer {
  if (!outcome.ok) throw new Error(outcome.detail);
  return outcome.answer;
}

async function access(
  compiled: CompiledPolicy,
  input: object,
  viewer: Viewer = operator(compiled),
  records = [] as Partial<AuditRecord>[],
): Promise<AccessAnswer> {
  const outcome = await accessOperation.run(partsOf(compiled, records), viewer, accessOperation.input.parse(input));
  return accessOperation.answer.parse(answerOf(outcome));
}

/** Whatever an account may do by the evaluator, its row says; and whoever may do something has one. */
async function agrees(compiled: CompiledPolicy, repository: string, tag: string | undefined): Promise<void> {
  const answer = await access(compiled, { repository, tag });
  const rowOf = (subject: string) =>
    answer.rows.find(({ asked, people }) => asked === subject || people.includes(subject)) ?? undefined;
  for (const { kind, entry } of entriesOf(compiled.policy)) {
    const principal = principalIn(compiled.policy, { kind, name: entry.name });
    if (principal === undefined) continue;
    const row = rowOf(`${kind}:${entry.name}`);
    for (const [index, action] of answer.actions.entries()) {
      const question = { principal, action, repository, tag, now } as const;
      const may = compiled.decide({ ...question, readWhilePushing: true }).allowed;
      const cell = row?.cells[index]?.answer ?? 'none';
      const about = [entry.name, action, cell, may];
      if (cell === 'yes') expect(about).toEqual([entry.name, action, cell, true]);
      if (cell === 'no' || cell === 'none') expect(about).toEqual([entry.name, action, cell, false]);
    }
  }
}

describe('the matrix', () => {
  test('of the shipped policies says what the gateway decides, for every account', async () => {
    const compiled = compilePolicy(readPolicy(...shipped));
    for (const repository of ['release/app', 'integration/app', 'sandbox/app', 'people/dana/x', 'nowhere'])
      for (const tag of [undefined, 'v1', 'approved-1']) await agrees(compiled, repository, tag);
  });

  test('of any policy does so, too', async () => {
    const rule = fc.record(
      {
        effect: fc.constantFrom('allow', 'allow', 'deny'),
        subjects: fc.subarray(['group:g1', 'group:g2', 'user:u1', 'authenticated', 'everyone', 'robot:bot'], {
          minLength: 1,
          maxLength: 2,
        }),
        repositories: fc.subarray(['a/**', 'a/b', '**', '${account}/**', 'a/${account}'], {
          minLength: 1,
          maxLength: 2,
        }),
        actions: fc.subarray(['pull', 'push', 'create', 'delete', 'inspect', 'promote'], { minLength: 1 }),
        tags: fc.subarray(['v*', 'latest'], { minLength: 1 }),
        except: fc.subarray(['group:g2', 'user:u2'], { minLength: 1, maxLength: 1 }),
        when: fc.constantFrom({ days: ['sat'] }, { addresses: ['10.0.0.0/8'] }, { after: '2026-01-01' }),
        mode: fc.constantFrom('enforce', 'shadow'),
      },
      { requiredKeys: ['effect', 'subjects', 'repositories', 'actions'] },
    );
    const people = {
      groups: { g1: {}, g2: {}, g3: {} },
      users: {
        u1: { groups: ['g1'] },
        u2: { groups: ['g2', 'g1'] },
        b: { groups: ['g3'] },
        u4: { groups: ['g1', 'g3'] },
        off: { groups: ['g1'], disabled: true },
      },
      robots: { bot: { groups: ['g2'] } },
      workloads: { ci: { issuer: 'https://ci.test', audience: 'a', groups: ['g1'] } },
    };
    await fc.assert(
      fc.asyncProperty(fc.array(rule, { maxLength: 6 }), fc.constantFrom(undefined, 'v1', 'x'), async (rules, tag) => {
        const named = rules.map((each, index) => ({ name: `r${index}`, ...each }));
        const compiled = compilePolicy(readPolicy(JSON.stringify({ ...people, rules: named })));
        for (const repository of ['a/b', 'b/x', 'a/u1']) await agrees(compiled, repository, tag);
      }),
      { numRuns: sized(60) },
    );
  });

  test('folds people under the group that they fare as, and counts those who may nothing', async () => {
    const compiled = compilePolicy(
      readPolicy(`
groups: { devs: , ops: , idle: { from: ["ldap:idle"] } }
users: { a: { groups: [devs] }, b: { groups: [devs] }, c: { groups: [devs, ops] }, d: { groups: [idle] }, e: {}, off: { groups: [devs], disabled: true } }
rules:
  - { name: devs, subjects: ['group:devs'], repositories: ['x/**'], actions: [pull, push] }
  - { name: ops, subjects: ['group:ops'], repositories: ['x/**'], actions: [delete], when: { days: [sat] } }
  - { name: none, effect: deny, subjects: ['group:ops'], repositories: ['x/**'], actions: [push] }
`),
    );
    const { rows, others, actions: columns } = await access(compiled, { repository: 'x/app' });
    expect(columns).toEqual(['pull', 'create', 'overwrite', 'delete']);
    expect(
      rows.map(({ subjects, people, cells }) => [
        subjects.join('+'),
        people.join(),
        cells.map(({ answer }) => answer).join(),
      ]),
    ).toEqual([
      ['group:devs', 'user:a,user:b', 'yes,yes,yes,none'],
      ['group:ops', '', 'none,no,no,sometimes'],
      ['group:devs+group:ops', 'user:c', 'yes,no,no,sometimes'],
    ]);
    expect(rows[1]?.cells[3]?.note).toBe('only while the rule applies; not now');
    expect(others).toBe(3);
  });

  test('calls what no rule gives "no", as the page of the repository does, also where a rule keeps some tags', async () => {
    const kept = compilePolicy(
      readPolicy(`
users: { dana: {}, rita: {} }
rules:
  - { name: reads, subjects: [authenticated], repositories: ['app'], actions: [pull] }
  - { name: deletes, subjects: ['user:rita'], repositories: ['app'], actions: [delete] }
  - { name: keeps, effect: deny, subjects: [everyone], repositories: ['app'], tags: ['v*'], actions: [delete] }
`),
    );
    const cellOf = async (name: string, tag?: string) => {
      const { rows, actions } = await access(kept, { repository: 'app', tag }, viewerIn(kept, name));
      return rows[0]?.cells[actions.indexOf('delete')];
    };
    expect(await cellOf('dana')).toMatchObject({ answer: 'none', rule: null });
    expect(await cellOf('dana', 'v1')).toMatchObject({ answer: 'no', rule: 'keeps' });
    expect((await cellOf('rita'))?.answer).toBe('sometimes');
  });

  test('says in one place when a rule applies, and nowhere in a cell where it stands', async () => {
    const compiled = compilePolicy(readPolicy(...shipped));
    const answer = await access(compiled, { repository: 'release/app' });
    expect(JSON.stringify(answer.rows)).not.toMatch(/\.yaml:\d/);
    expect(answer.rules.find(({ name }) => name === 'year-end-freeze')?.applies).toContain('it is after 2026-12-24');
  });
});

describe('an explanation', () => {
  const compiled = compilePolicy(readPolicy(...shipped));

  test('is that of the command line', async () => {
    for (const [name, action, repository, tag] of [
      ['dana', 'push', 'release/app', 'v1'],
      ['rita', 'promote', 'release/app', undefined],
      ['theo', 'create', 'integration/app', 'approved-1'],
      ['acme', 'pull', 'release/app', undefined],
    ] as const) {
      const principal = { kind: 'user', name } as const;
      const told = answerOf(
        await explainOperation.run(partsOf(compiled), operator(compiled), {
          as: `user:${name}`,
          action,
          repository,
          tag,
        }),
      );
      const full = explain(compileByName(compiled.policy), { principal, action, repository, tag, now });
      expect([told.allowed, told.reason, told.rule?.name]).toEqual([full.allowed, full.reason, full.rule?.name]);
      expect(told.nearMisses.map(({ rule }) => rule.name)).toEqual(
        full.nearMisses.slice(0, 5).map(({ rule }) => rule.name),
      );
    }
  });

  test('of oneself is for everybody: without files, rule texts and rules about others', async () => {
    const dana = viewerIn(compiled, 'dana');
    const told = answerOf(
      await explainOperation.run(partsOf(compiled), dana, { action: 'push', repository: 'release/app' }),
    );
    expect([told.subject, told.allowed, told.rule]).toEqual([
      'user:dana',
      false,
      { name: 'only-releasers-fill-release', effect: 'deny', place: null },
    ]);
    const page = await access(compiled, { repository: 'release/app', action: 'push', tag: 'v1' }, dana, [
      { account: 'dana', repository: 'release/app', action: 'push' },
      { account: 'rita', repository: 'release/app', action: 'push' },
    ]);
    expect([page.about, page.rules, page.allowing, page.rows.map(({ asked }) => asked)]).toEqual([
      'yourself',
      [],
      null,
      ['user:dana'],
    ]);
    expect(page.refusals.map(({ subject }) => subject)).toEqual(['user:dana']);
    expect(JSON.stringify([told, page])).not.toMatch(/yaml|rita|release-managers|customers/);
  });

  test.each([
    [{ as: 'user:rita', action: 'push', repository: 'release/app' }, 'forbidden'],
    [{ as: 'group:developers', action: 'push', repository: 'release/app' }, 'forbidden'],
    [{ as: 'user:nobody', action: 'push', repository: 'release/app' }, 'forbidden'],
    [{ action: 'fly', repository: 'release/app' }, 'invalid'],
    [{ action: 'push', repository: 'Release/App' }, 'invalid'],
    [{ action: 'push', repository: 'a', tag: '-' }, 'invalid'],
  ] as const)('of %j by somebody who may inspect nothing is refused', async (input, reason) => {
    const outcome = await explainOperation.run(partsOf(compiled), viewerIn(compiled, 'dana'), input);
    expect(outcome).toMatchObject({ ok: false, reason });
  });

  test('reaches no further than a token does', async () => {
    const bound = [{ type: 'repository', name: 'sandbox/app', actions: ['pull'] }] as const;
    const base = viewerIn(compiled, 'dana');
    if (base.kind !== 'caller') throw new Error('an operator');
    const viewer: Viewer = { ...base, caller: { ...base.caller, bound } };
    const ask = (repository: string) => explainOperation.run(partsOf(compiled), viewer, { action: 'pull', repository });
    expect((await ask('sandbox/app')).ok).toBe(true);
    expect(await ask('release/app')).toMatchObject({ ok: false, reason: 'forbidden' });
    const ownToken = { id: 'x', created: 0, reach: { repositories: ['sandbox/**'] } };
    const narrow: Viewer = { ...base, isInPerson: false, caller: { ...base.caller, ownToken } };
    for (const [repository, ok] of [
      ['sandbox/app', true],
      ['release/app', false],
      ['nowhere/app', false],
    ] as const) {
      const outcome = await explainOperation.run(partsOf(compiled), narrow, { action: 'pull', repository });
      expect([repository, outcome.ok]).toEqual([repository, ok]);
    }
  });

  test('is told of no refusals of whoever had the name before', async () => {
    const before = [{ account: 'dana', repository: 'release/app', action: 'push' as const }];
    const told = async (endedBefore: number) => {
      const parts = partsOf(compiled, before, endedBefore);
      const input = { repository: 'release/app' };
      return answerOf(await accessOperation.run(parts, viewerIn(compiled, 'dana'), input)).refusals.length;
    };
    expect([await told(0), await told(now)]).toEqual([1, 0]);
  });
});

describe('an auditor of one team', () => {
  const compiled = compilePolicy(
    readPolicy(`
groups: { auditors: , team-a: , team-b: }
users: { audrey: { groups: [auditors] }, ann: { groups: [team-a] }, bob: { groups: [team-b] }, off: { groups: [team-b], disabled: true } }
rules:
  - { name: audit-a, subjects: ['group:auditors'], repositories: ['team-a/**'], actions: [inspect] }
  - { name: a-works, subjects: ['group:team-a'], repositories: ['team-a/**'], actions: [pull, push] }
  - { name: secret-b-works, subjects: ['group:team-b'], repositories: ['secret-b/**'], actions: [pull, push] }
  - { name: secret-b-too, subjects: ['group:team-a'], repositories: ['secret-b/**'], actions: [delete] }
tests:
  - { name: secret-b stays, as: 'user:ann', deny: [delete other/secret-b] }
`),
  );
  const audrey = viewerIn(compiled, 'audrey');

  test('learns of no test that an exception breaks elsewhere', async () => {
    const both = compilePolicy(
      readPolicy(`
groups: { auditors: }
users: { audrey: { groups: [auditors] }, ann: {} }
rules:
  - { name: audit-a, subjects: ['group:auditors'], repositories: ['team-a/**'], actions: [inspect] }
  - { name: works, subjects: ['user:ann'], repositories: ['team-a/**', 'team-b/**'], actions: [push] }
  - { name: closed, effect: deny, subjects: [everyone], repositories: ['team-a/**', 'team-b/**'], actions: [push] }
tests:
  - { name: secret-b stays closed, as: 'user:ann', deny: [push team-b/app] }
  - { name: team-a stays closed, as: 'user:ann', deny: [push team-a/app] }
`),
    );
    const input = { repository: 'team-a/app', as: 'user:ann', action: 'push' };
    const limited = (await access(both, input, viewerIn(both, 'audrey'))).allowing;
    expect([limited?.failing.map(({ test: name }) => name), limited?.moreFailing]).toEqual([
      ['team-a stays closed'],
      1,
    ]);
    expect((await access(both, input)).allowing?.failing.length).toBe(2);
  });

  const records = [
    { account: 'bob', repository: 'team-a/app', action: 'pull' },
    { account: 'bob', repository: 'secret-b/app', action: 'delete' },
  ];

  test('sees of rules, near misses, refusals and remedies what is about that team', async () => {
    const answer = await access(
      compiled,
      { repository: 'team-a/app', as: 'user:ann', action: 'delete' },
      audrey,
      records,
    );
    expect(answer.rules.map(({ name }) => name)).toEqual(['a-works', 'audit-a']);
    expect(answer.refusals.map(({ subject }) => subject)).toEqual(['user:bob']);
    const words = [{ account: 'bob', repository: 'team-a/app', reason: 'mount_denied', detail: 'from secret-b/app' }];
    expect(JSON.stringify(await access(compiled, { repository: 'team-a/app' }, audrey, words))).not.toContain(
      'secret-b',
    );
    expect(answer.allowing?.lines).toContain('ann-may-delete-team-a-app');
    expect(JSON.stringify(answer)).not.toContain('secret-b');
  });

  test('sees of a rule that holds elsewhere, too, that it does, and not where', async () => {
    const shared = compilePolicy(
      readPolicy(`
groups: { auditors: }
users: { audrey: { groups: [auditors] }, ann: {} }
rules:
  - { name: audit-a, subjects: ['group:auditors'], repositories: ['team-a/**'], actions: [inspect] }
  - { name: works, subjects: ['user:ann'], repositories: ['secret-b/**', 'team-a/*', '*/app'], actions: [push] }
`),
    );
    const input = { repository: 'team-a/app', as: 'user:ann', action: 'push' };
    const limited = await access(shared, input, viewerIn(shared, 'audrey'));
    const text = limited.rules.find(({ name }) => name === 'works')?.text;
    expect(text).toContain('repositories: [');
    for (const shown of ['team-a/*', '*/app', '# and in other repositories']) expect(text).toContain(shown);
    expect(JSON.stringify(limited)).not.toContain('secret-b');
    expect((await access(shared, input)).rules.find(({ name }) => name === 'works')?.text).toContain('secret-b');
  });

  test("learns of a robot's secrets whether they reach there, not where else", async () => {
    const sha256 = 'a'.repeat(64);
    const machines = compilePolicy(
      readPolicy(`
groups: { auditors: }
users: { audrey: { groups: [auditors] } }
robots: { bot: { tokens: [{ id: aaaa, sha256: ${sha256}, repositories: ['secret-b/**'] }, { id: bbbb, sha256: ${'b'.repeat(64)}, repositories: ['team-a/**', 'secret-b/**'] }] } }
rules:
  - { name: audit-a, subjects: ['group:auditors'], repositories: ['team-a/**'], actions: [inspect] }
  - { name: bot-works, subjects: ['robot:bot'], repositories: ['team-a/**'], actions: [pull] }
`),
    );
    const input = { repository: 'team-a/app', as: 'robot:bot', action: 'pull' };
    const limited = await access(machines, input, viewerIn(machines, 'audrey'));
    expect(limited.explained?.notes).toEqual(['secret aaaa: no', 'secret bbbb: yes']);
    expect(JSON.stringify(limited)).not.toContain('secret-b');
    expect(JSON.stringify((await access(machines, input)).explained?.notes)).toContain('secret-b');
  });

  test('may ask nothing about another one, and learns no names by trying', async () => {
    const ask = (input: object) =>
      accessOperation.run(partsOf(compiled, records), audrey, accessOperation.input.parse(input));
    expect(await ask({ repository: 'secret-b/app', as: 'user:bob', action: 'pull' })).toMatchObject({
      ok: false,
      reason: 'forbidden',
    });
    const own = answerOf(await ask({ repository: 'secret-b/app' }));
    expect([own.about, own.rules, own.refusals, own.rows.length]).toEqual(['yourself', [], [], 1]);
    const wrong = await ask({ repository: 'team-a/app', as: 'user:bobb', action: 'pull' });
    expect(wrong).toMatchObject({
      ok: false,
      reason: 'invalid',
      detail: expect.not.stringContaining('bob"?') as string,
    });
  });
});

describe('what would allow it', () => {
  /** The policy with the lines put in, as a person would: rules by their name, groups of an account. */
  function applied(texts: readonly string[], lines: string): CompiledPolicy {
    type Files = {
      users?: Record<string, object>;
      robots?: Record<string, object>;
      workloads?: Record<string, object>;
      rules?: { name: string }[];
    };
    const edit = parse(lines) as Files;
    const files = texts.map((text) => (parse(text) ?? {}) as Files);
    const known = new Set(files.flatMap(({ rules = [] }) => rules.map(({ name }) => name)));
    const edited = files.map((file) => {
      const rules = file.rules?.map((rule) => edit.rules?.find(({ name }) => name === rule.name) ?? rule);
      const accounts = (['users', 'robots', 'workloads'] as const).flatMap((section) => {
        const entries = file[section];
        if (entries === undefined) return [];
        const changed = Object.entries(entries).map(([name, entry]) => [name, { ...entry, ...edit[section]?.[name] }]);
        return [[section, Object.fromEntries(changed)]];
      });
      return JSON.stringify({ ...file, ...(rules === undefined ? {} : { rules }), ...Object.fromEntries(accounts) });
    });
    const added = edit.rules?.filter(({ name }) => !known.has(name)) ?? [];
    return compilePolicy(readPolicy(...edited, JSON.stringify({ rules: added })));
  }

  const policy = readPolicy(...shipped);
  const compiled = compilePolicy(policy);
  const who: readonly (Named | GroupMember)[] = [
    ...entriesOf(policy).map(({ kind, entry: { name } }): Account => ({ kind, name })),
    ...[...policy.groups.keys()].map((name) => ({ kind: 'group', name }) as const),
    { kind: 'anonymous' },
  ];

  test('does allow it, once the lines are in the files: for random refusals, at any time', async () => {
    let tried = 0;
    const question = fc.record({
      principal: fc.constantFrom(...who),
      action: fc.constantFrom<Action>(...actions),
      repository: fc.constantFrom('release/app', 'integration/a/b', 'sandbox/x', 'people/dana/x', 'other'),
      tag: fc.constantFrom(undefined, 'v1.0', 'approved-1', 'build-7'),
      now: fc.constantFrom(now, Date.parse('2026-12-25T12:00:00Z')),
    });
    await fc.assert(
      fc.asyncProperty(question, fc.boolean(), async (inquiry, withGroups) => {
        const before = explain(compileByName(policy), inquiry);
        if (before.allowed) return;
        const here = await lookAt(compiled, inquiry.repository, slices());
        const found = await wouldAllow(here, before, withGroups, slices());
        if ('why' in found) {
          expect(inquiry.action === 'administer' || inquiry.principal.kind === 'robot').toBe(true);
          return;
        }
        tried++;
        const after = compileByName(applied(shipped, found.lines).policy);
        expect([found.lines, after.decide({ ...inquiry, readWhilePushing: true }).allowed]).toEqual([
          found.lines,
          true,
        ]);
        expect(found.gains.length).toBeGreaterThan(0);
      }),
      { numRuns: sized(400) },
    );
    expect(tried).toBeGreaterThan(20);
  });

  test('names the group that does, all it gives besides, and the tests that it breaks', async () => {
    const answer = await access(compiled, {
      repository: 'integration/app',
      tag: 'build-1',
      as: 'user:dana',
      action: 'push',
    });
    expect(answer.allowing).toMatchObject({
      lines: 'users:\n  dana: { groups: [developers, build-servers] } # was [developers]',
      instead: [expect.stringMatching(/^the groups of user:dana \(0\.yaml|^the groups of user:dana \(3\.yaml/)],
      why: null,
    });
    expect(answer.allowing?.gains.join('\n')).toContain('integration/**');
    const broken = await access(compiled, { repository: 'sandbox/app', as: 'group:testers', action: 'pull' });
    expect(broken.allowing?.failing.map(({ test: name }) => name)).toEqual([
      'testers read integration, and write nothing there but approvals, once',
    ]);
  });

  test('is no line where the account is shut, the secret is another one, or a machine shall administer', async () => {
    const secret = `{ id: aaaa, sha256: ${'a'.repeat(64)}, actions: [pull] }`;
    const own = compilePolicy(
      readPolicy(`users: { off: { disabled: true } }\nrobots: { bot: { tokens: [${secret}] } }
rules: [{ name: a, subjects: ['robot:bot'], repositories: [a], actions: [pull, push] }]`),
    );
    const why = async (as: string, action: string) =>
      (await access(own, { repository: 'a', as, action })).allowing?.why;
    expect(await why('user:off', 'pull')).toContain('portcullis user enable off');
    expect(await why('robot:bot', 'push')).toContain('portcullis token create bot --actions push');
    expect(await why('robot:bot', 'administer')).toContain('only a person');
  });
});

describe('refusals and shadow rules', () => {
  const compiled = compilePolicy(
    readPolicy(`users: { dana: {}, eve: {} }
rules:
  - { name: all, subjects: [authenticated], repositories: ['**'], actions: [pull] }
  - { name: soon, effect: deny, mode: shadow, subjects: [authenticated], repositories: ['a/**'], actions: [pull] }`),
  );
  const day = 86_400_000;

  test('are grouped, counted, the latest first, of this repository and this day', async () => {
    const push = {
      account: 'dana',
      repository: 'a/x',
      action: 'push',
      reference: 'v2',
      userAgent: 'docker/28',
      address: '10.0.0.1',
    };
    const { refusals } = await access(compiled, { repository: 'a/x' }, operator(compiled), [
      push,
      { ...push, reference: 'v1' },
      { account: '', kind: 'anonymous', repository: 'a/x', action: 'pull', reason: 'anonymous_refused' },
      { ...push, repository: 'a/y' },
      { ...push, decision: 'allow' },
      { account: '', kind: 'anonymous', repository: 'a/x', action: 'pull', reason: 'credentials_missing' },
      { ...push, account: 'eve', at: now - day - 1 } as never,
    ]);
    expect(refusals).toEqual([
      {
        subject: 'user:dana',
        action: 'push',
        target: ':v2 and 1 more',
        tag: 'v2',
        reason: 'no rule allows it',
        times: 2,
        last: now - 60_000,
        client: 'docker/28 from 10.0.0.1',
      },
      expect.objectContaining({ subject: 'anonymous', reason: 'not allowed without logging in', times: 1 }),
    ]);
  });

  test('a shadow rule says how many requests of how many accounts it would have refused', async () => {
    const pull = { decision: 'allow', repository: 'a/x', action: 'pull', shadow: ['soon'] } as const;
    const { rules } = await access(compiled, { repository: 'a/x' }, operator(compiled), [
      { ...pull, account: 'dana' },
      { ...pull, account: 'dana' },
      { ...pull, account: 'eve' },
    ]);
    expect(rules.map(({ name, isShadow, would }) => [name, isShadow, would])).toEqual([
      ['all', false, null],
      ['soon', true, 'it would have refused 3 requests by 2 accounts'],
    ]);
  });

  for (const [hours, lately] of [
    [24, 'in the last 24 hours'],
    [1.5, 'in the last hour'],
    [0.9, 'in the last 54 minutes'],
    [0, 'in the last minute'],
  ] as const)
    test(`of what ${hours} hours ago began to be remembered it is said: ${lately}`, async () => {
      const parts = partsOf(compiled, [], 0, now - hours * 3_600_000);
      const outcome = await accessOperation.run(parts, operator(compiled), { repository: 'a/x' });
      expect(answerOf(outcome).lately).toBe(lately);
    });
});
