/** Edits of the policies that come along, made up by the dozen: what a replay says of each is what asking everything twice says. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { diffPolicies } from '../../src/policy/analysis/diff.ts';
import { compilePolicy } from '../../src/policy/evaluate.ts';
import { type Named, type Policy, type Principal, type Rule, formatSubject, rights } from '../../src/policy/model.ts';
import { parseRepositoryPattern, parseTagPattern } from '../../src/policy/pattern.ts';
import { accountsOf, principalIn } from '../../src/policy/principal.ts';
import { isExpired, narrowPolicy } from '../../src/policy/secret-reach.ts';
import type { AuditRecord } from '../../src/ports.ts';
import { readPolicy } from '../support/policies.ts';
import { sized } from '../support/size.ts';
import { access, lineOf, replayed, told, unsure } from './support/records.ts';

const shipped = ['areas', 'people'].map((name) => readFileSync(`policies/${name}.yaml`, 'utf8'));
const robots = `robots:
  narrow:
    groups: [build-servers]
    tokens:
      - { id: narrow1, sha256: ${'a'.repeat(64)}, repositories: ['integration/**'], actions: [pull, create] }
      - { id: wide1, sha256: ${'b'.repeat(64)}, expires: 2026-12-01 }
`;
const old = readPolicy(...shipped, robots);
const times = [Date.UTC(2026, 10, 20, 12), Date.UTC(2026, 11, 25, 12)];
const places = ['sandbox/app', 'people/dana/try', 'integration/app', 'release/app', 'other/app'];
const tags = ['latest', 'v1.0', 'build-7', 'approved-1'];

/** What was asked, as a record and as a question. */
interface Case {
  readonly who: Named;
  readonly secret: string | undefined;
  readonly now: number;
  readonly action:
    'pull' | 'push' | 'delete' | 'catalog' | 'promote' | `token:${'pull' | 'push' | 'delete' | 'promote'}`;
  readonly repository: string;
  readonly tag?: string;
  readonly route: 'manifest' | 'blob' | 'tags' | 'catalog' | 'upload' | 'token' | 'api';
  readonly writes?: 'create' | 'overwrite' | 'repeat';
}

function* cases(): Generator<Case> {
  const secretsOf = (who: Named): readonly (string | undefined)[] =>
    who.kind === 'robot' ? (old.robots.get(who.name)?.tokens.map(({ id }) => id) ?? []) : [undefined];
  for (const who of [...accountsOf(old), { kind: 'anonymous' } as const])
    for (const secret of secretsOf(who))
      for (const now of times) {
        const common = { who, secret, now };
        yield { ...common, action: 'catalog', repository: '', route: 'catalog' };
        for (const repository of places) {
          const at = { ...common, repository };
          yield { ...at, action: 'pull', route: 'blob' };
          yield { ...at, action: 'pull', route: 'tags' };
          yield { ...at, action: 'push', route: 'upload' };
          yield { ...at, action: 'delete', route: 'blob' };
          for (const action of ['pull', 'push', 'delete', 'promote'] as const)
            yield { ...at, action: `token:${action}`, route: 'token' };
          for (const tag of tags) {
            yield { ...at, tag, action: 'pull', route: 'manifest' };
            yield { ...at, tag, action: 'delete', route: 'manifest' };
            for (const writes of ['create', 'overwrite', 'repeat'] as const)
              yield { ...at, tag, writes, action: 'push', route: 'manifest' };
            for (const writes of ['create', 'repeat'] as const)
              yield { ...at, tag, writes, action: 'promote', route: 'api' };
          }
        }
      }
}
const all = [...cases()];
const source = { repository: 'integration/app', tag: 'build-7' };

type Said = 'allowed' | 'denied' | 'unsure';

/** By the evaluator alone. `admitted`: whether what the record says reaches beyond the first look. */
function ask(policy: Policy): (each: Case, knowsWrites: boolean) => Said {
  const compiled = compilePolicy(policy);
  return ({ who, secret, now, action, repository, tag, route, writes }, knowsWrites) => {
    const principal: Principal | undefined = principalIn(policy, who);
    if (principal === undefined) return 'denied';
    const token =
      who.kind === 'robot' ? policy.robots.get(who.name)?.tokens.find(({ id }) => id === secret) : undefined;
    if (who.kind === 'robot' && (token === undefined || isExpired(token, now))) return 'denied';
    const { decide, mayListCatalog } =
      token === undefined || !('name' in who) ? compiled : narrowPolicy(compiled, who.name, token);
    const may = (question: object): boolean =>
      decide({ principal, now, address: '127.0.0.1', action: 'pull', repository, tag, ...question }).allowed;
    const said = (isAllowed: boolean): Said => (isAllowed ? 'allowed' : 'denied');
    if (action === 'catalog') return said(mayListCatalog(principal, { now, address: '127.0.0.1' }).allowed);
    if (route === 'token')
      return said(may({ action: action.slice('token:'.length), readWhilePushing: true, deletes: 'something' }));
    if (action === 'pull') return said(may({ readWhilePushing: route !== 'tags' }));
    if (action === 'delete') return said(may({ action }));
    if (action === 'promote') {
      if (!may({ action }) || !may({ ...source, action: 'pull' })) return 'denied';
      const halves = [may({ action, writes: 'create' }), may({ action, writes: 'overwrite' })];
      if (writes === 'repeat' && knowsWrites) return 'allowed';
      if (halves[0] === true && halves[1] === true) return 'allowed';
      return knowsWrites ? said(halves[0] === true) : 'unsure';
    }
    const [create, overwrite] = [may({ action: 'create' }), may({ action: 'overwrite' })];
    if (tag === undefined || create === overwrite) return said(create || overwrite);
    if (!knowsWrites) return 'unsure';
    return said(writes === 'create' ? create : writes === 'overwrite' ? overwrite : true);
  };
}

/** Whether the account is there, and the secret good. */
function isIn(policy: Policy, { who, secret, now }: Case): boolean {
  if (principalIn(policy, who) === undefined || who.kind !== 'robot') return principalIn(policy, who) !== undefined;
  const token = policy.robots.get(who.name)?.tokens.find(({ id }) => id === secret);
  return token !== undefined && !isExpired(token, now);
}

/** As the gateway writes it down where this policy decides. */
function recordOf(each: Case, was: Said, isAdmitted: boolean): Partial<AuditRecord> {
  const { who, secret, action, repository, tag, route, writes } = each;
  const account = 'name' in who ? who.name : '';
  const common = {
    kind: who.kind,
    account,
    secret,
    method: undefined,
    httpMethod: undefined,
    repository,
    reference: tag,
    route,
  };
  const outcome =
    was === 'allowed'
      ? {}
      : ({
          decision: 'deny',
          reason: who.kind === 'anonymous' ? 'anonymous_refused' : 'no_rule',
          rule: undefined,
        } as const);
  if (route === 'token') {
    const granted = action.slice('token:'.length);
    const asked = `repository:${repository}:${granted}`;
    return {
      event: 'token',
      decision: 'allow',
      reason: 'granted',
      ...common,
      asked,
      scope: was === 'allowed' ? asked : `repository:${repository}:`,
    };
  }
  const promotion = { event: 'promotion', from: `${source.repository}:${source.tag}` } as const;
  const late = action === 'push' && was === 'denied' && isAdmitted ? writes : action;
  const known = was === 'allowed' && writes !== undefined ? { writes } : {};
  return access({ ...common, action: late, ...(action === 'promote' ? promotion : {}), ...outcome, ...known });
}

/** The lines that a gateway with the old policy would have written, each with what else must be known of it. */
const recorded = (() => {
  const asked = ask(old);
  return all.flatMap((each) => {
    const was = asked(each, true);
    const isAdmitted = each.writes !== undefined && asked({ ...each, writes: 'repeat' }, true) === 'allowed';
    // Nobody has a token who cannot log in.
    if (each.route === 'token' && !isIn(old, each)) return [];
    const knowsWrites = was === 'allowed' || (each.action === 'push' && isAdmitted);
    return [{ each, was, knowsWrites, line: lineOf(recordOf(each, was, isAdmitted), each.now) }];
  });
})();

/** `- user:dana pull a/b 3×`, as `told` has it, by asking everything twice. */
function expected(next: Policy): { readonly told: readonly string[]; readonly unsure: number } {
  const asked = ask(next);
  const counts = new Map<string, number>();
  let left = 0;
  const count = (key: string): void => void counts.set(key, (counts.get(key) ?? 0) + 1);
  for (const { each, was, knowsWrites } of recorded) {
    const { who, action, repository, route } = each;
    const subject = formatSubject(who);
    if (route === 'token' && !isIn(next, each)) count(`- ${subject} login *`);
    const is = asked(each, knowsWrites);
    if (is === 'unsure') left++;
    else if (is !== was) count(`${is === 'denied' ? '-' : '+'} ${subject} ${action} ${repository || '*'}`);
  }
  return { told: [...counts].map(([key, times]) => `${key} ${times}×`).sort(), unsure: left };
}

/** The same numbers for the same seed. */
function dice(seed: number): (below: number) => number {
  let state = seed * 2_654_435_761 + 1;
  return (below) => {
    state = (Math.imul(state ^ (state >>> 15), 2_246_822_519) + 0x9e3779b9) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

const patterns = ['**', 'sandbox/**', 'integration/**', 'release/app', 'people/${account}/**', 'other/*'].map(
  (text) => {
    const pattern = parseRepositoryPattern(text);
    if ('problem' in pattern) throw new Error(pattern.problem);
    return pattern;
  },
);
const tagPatterns = ['v*', 'build-*', 'latest', '*'].map((text) => {
  const pattern = parseTagPattern(text);
  if ('problem' in pattern) throw new Error(pattern.problem);
  return pattern;
});

type Edit = (policy: Policy, roll: (below: number) => number) => Policy;

/** One rule of them, as `change` makes it; none: it is gone. */
const ofRule =
  (change: (rule: Rule, roll: (below: number) => number) => readonly Rule[]): Edit =>
  (policy, roll) => {
    const at = roll(policy.rules.length);
    return { ...policy, rules: policy.rules.flatMap((rule, index) => (index === at ? change(rule, roll) : [rule])) };
  };
const pick = <T>(values: readonly T[], roll: (below: number) => number): T => {
  const value = values[roll(values.length)];
  if (value === undefined) throw new Error('nothing to pick from');
  return value;
};
const without = (rule: Rule, key: 'tags' | 'when'): Rule => {
  const rest: { -readonly [Key in keyof Rule]: Rule[Key] } = { ...rule };
  delete rest[key];
  return rest;
};
const groups = [...old.groups.keys()];
const ofAccount =
  (change: (groups: readonly string[], roll: (below: number) => number) => object): Edit =>
  (policy, roll) => {
    const users = [...policy.users.values()];
    const user = pick(users, roll);
    return { ...policy, users: new Map([...policy.users, [user.name, { ...user, ...change(user.groups, roll) }]]) };
  };
const edits: Readonly<Record<string, Edit>> = {
  'a rule is gone': ofRule(() => []),
  'a rule turns round': ofRule((rule) => [{ ...rule, effect: rule.effect === 'allow' ? 'deny' : 'allow' }]),
  'a rule is about another action': ofRule((rule, roll) => [
    { ...rule, rights: rule.rights ^ pick(Object.values(rights).slice(0, 6), roll) || rights.pull },
  ]),
  'a rule is about other repositories': ofRule((rule, roll) => [{ ...rule, repositories: [pick(patterns, roll)] }]),
  'a rule is about other tags': ofRule((rule, roll) => [{ ...rule, tags: [pick(tagPatterns, roll)] }]),
  'a rule is about all tags': ofRule((rule) => [without(rule, 'tags')]),
  'a rule spares a group': ofRule((rule, roll) => [{ ...rule, except: [{ kind: 'group', name: pick(groups, roll) }] }]),
  'a rule spares nobody': ofRule((rule) => [{ ...rule, except: [] }]),
  'a rule is about another group': ofRule((rule, roll) => [
    { ...rule, subjects: [{ kind: 'group', name: pick(groups, roll) }] },
  ]),
  'a rule is about everyone': ofRule((rule) => [{ ...rule, subjects: [{ kind: 'everyone' }] }]),
  'a rule holds at another time': ofRule((rule, roll) => [{ ...rule, when: { after: times[roll(2)] ?? 0 } }]),
  'a rule holds at any time': ofRule((rule) => [without(rule, 'when')]),
  'a rule is tried': ofRule((rule) => [{ ...rule, mode: 'shadow' }]),
  'somebody joins a group': ofAccount((before, roll) => ({ groups: [...new Set([...before, pick(groups, roll)])] })),
  'somebody leaves all groups': ofAccount(() => ({ groups: [] })),
  'somebody is disabled': ofAccount(() => ({ disabled: true })),
};
const secretEdits: Readonly<Record<string, Edit>> = {
  'a secret is gone': (policy, roll) =>
    ofRobot(policy, (tokens) => tokens.filter((_, at) => at !== roll(tokens.length))),
  'a secret reaches elsewhere': (policy, roll) =>
    ofRobot(policy, (tokens) => tokens.map((token) => ({ ...token, repositories: [pick(patterns, roll)] }))),
  'a secret ends': (policy) =>
    ofRobot(policy, (tokens) => tokens.map((token) => ({ ...token, expires: Date.UTC(2026, 10, 1) / 1000 }))),
};

type Tokens = NonNullable<ReturnType<Policy['robots']['get']>>['tokens'];
function ofRobot(policy: Policy, change: (tokens: Tokens) => Tokens): Policy {
  const robot = policy.robots.get('narrow');
  if (robot === undefined) throw new Error('the robot is gone');
  return { ...policy, robots: new Map([...policy.robots, [robot.name, { ...robot, tokens: change(robot.tokens) }]]) };
}

const mutants = Object.entries({ ...edits, ...secretEdits }).flatMap(([what, edit]) =>
  Array.from({ length: what in edits ? sized(4, 1) : sized(2, 1) }, (_, seed) => ({
    what,
    seed,
    policy: edit(old, dice(seed * 31 + what.length)),
  })),
);

describe('what a replay says is what asking everything twice says, where', () => {
  const lines = recorded.map(({ line }) => line);

  test('nothing changes', () => {
    const found = replayed(lines, old);
    expect([told(found), expected(old).told]).toEqual([[], []]);
    const compared = replayed(lines, old, { base: old });
    expect([told(compared), unsure(compared)]).toEqual([[], {}]);
  });

  test.each(mutants)('$what ($seed)', ({ policy, what }) => {
    const found = replayed(lines, policy);
    const oracle = expected(policy);
    expect(told(found)).toEqual(oracle.told);
    expect(found.unsure.reduce((sum, { count }) => sum + count, 0)).toBe(oracle.unsure);
    // By both policies: of what hangs on a tag, only what they say alike is known.
    const compared = replayed(lines, policy, { base: old });
    expect(oracle.told).toEqual(expect.arrayContaining(told(compared).filter((row) => oracle.told.includes(row))));
    expect(compared.lost.length).toBeLessThanOrEqual(found.lost.length);
    if (!(what in edits)) return;
    const diff = diffPolicies(old, policy, { now: times[0] ?? 0 });
    const kinds = new Set([...diff.changes, ...diff.accounts].map(({ kind }) => kind));
    // A token's bound may be wider than anything that it is of use for.
    const isUse = ({ action }: { readonly action: string }): boolean => !action.startsWith('token:');
    if (found.lost.some(isUse))
      expect([...kinds]).toEqual(expect.arrayContaining([expect.stringMatching(/revoked|changed/)]));
    if (found.gained.some(isUse))
      expect([...kinds]).toEqual(expect.arrayContaining([expect.stringMatching(/granted|changed/)]));
  });

  test('and that is something: most edits take or give', () => {
    expect(mutants.length).toBeGreaterThanOrEqual(sized(50, 19));
    const telling = mutants.filter(({ policy }) => expected(policy).told.length > 0);
    expect(telling.length).toBeGreaterThan(mutants.length / 3);
  });
});
