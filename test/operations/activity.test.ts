/** What activity and health show of others: only what their viewer may see, by the evaluator that judges pulls. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createMinutes } from '../../src/adapters/memory/minutes.ts';
import { createRecent } from '../../src/adapters/memory/recent.ts';
import { activity } from '../../src/operations/activity.ts';
import { ask } from '../../src/operations/ask.ts';
import { health } from '../../src/operations/health.ts';
import type { Looker, Viewer } from '../../src/operations/viewer.ts';
import { type CompiledPolicy, compilePolicy } from '../../src/policy/evaluate.ts';
import type { AuditRecord } from '../../src/ports.ts';
import { oneRegistry } from '../support/one-registry.ts';
import { inPolicy, readPolicy, user } from '../support/policies.ts';
import { sized } from '../support/size.ts';

const now = Date.UTC(2026, 10, 26, 12);
const circumstances = { address: '192.0.2.7', now };
const names = ['ada', 'ben', 'cleo', 'dan'];
const areas = ['north', 'south', 'east', 'west'];
const repositories = areas.flatMap((area) => Array.from({ length: 50 }, (_, at) => `${area}/r${at}x`));

const anyRuleOf = (actions: readonly string[]) =>
  fc.record({
    effect: fc.constantFrom('allow', 'allow', 'allow', 'deny'),
    subject: fc.constantFrom(...names.map((name) => `user:${name}`), 'authenticated'),
    patterns: fc.array(fc.constantFrom('**', ...areas.map((area) => `${area}/**`), ...repositories.slice(0, 120)), {
      minLength: 1,
      maxLength: 6,
    }),
    actions: fc.subarray([...actions], { minLength: 1 }),
  });
/** Rules about these actions, beside the given one. */
const anyPolicyOf = (actions: readonly string[], more = '') =>
  fc.array(anyRuleOf(actions), { minLength: more === '' ? 1 : 0, maxLength: 12 }).map((rules) => {
    const text = rules.map(
      ({ effect, subject, patterns, actions: named }, at) =>
        `  - { name: r${at}, effect: ${effect}, subjects: ["${subject}"], repositories: ${JSON.stringify([...new Set(patterns)])}, actions: [${named.join(', ')}] }`,
    );
    const people = `users: { ${names.map((name) => `${name}: {}`).join(', ')} }`;
    return compilePolicy(readPolicy(`${people}\nrules:\n${[...text, more].join('\n')}\n`));
  });
const anyPolicy = anyPolicyOf(['pull', 'push', 'delete', 'inspect', 'administer']);
const auditors = '  - { name: auditors, subjects: [authenticated], repositories: ["**"], actions: [inspect] }';
const somewhere = fc.constantFrom(...repositories);
const anyRecord = fc.record({
  account: fc.constantFrom(...names, 'nobody'),
  kind: fc.constantFrom('user' as const, undefined),
  repository: fc.option(somewhere, { nil: undefined }),
  from: fc.option(
    somewhere.map((name) => `${name}:1.0`),
    { nil: undefined },
  ),
  gateFrom: fc.option(somewhere, { nil: undefined }),
  scope: fc.option(
    somewhere.map((name) => `repository:${name}:pull`),
    { nil: undefined },
  ),
  detail: fc.option(
    somewhere.map((name) => `the registry of ${name} gave no answer`),
    { nil: undefined },
  ),
  decision: fc.constantFrom('allow' as const, 'deny' as const, 'error' as const),
});

function looker(policy: CompiledPolicy, name: string, more: Partial<Looker> = {}): Looker {
  const principal = inPolicy(policy, user(name));
  const caller = { principal, validFrom: 0, mark: '', method: 'password', bound: undefined } as const;
  return { kind: 'caller', caller, policy, circumstances, isInPerson: true, ...more };
}

function remembered(records: readonly Partial<AuditRecord>[]) {
  const recent = createRecent(() => now);
  for (const record of records)
    recent.note({ event: 'access', decision: 'deny', reason: 'no_rule', action: 'pull', ...record }, now);
  return { recent, sessions: { endedBefore: () => 0 }, upstreams: oneRegistry };
}

async function shown(parts: ReturnType<typeof remembered>, viewer: Viewer, given: Record<string, string> = {}) {
  const asked = await ask(activity, parts, viewer, { limit: '200', ...given });
  if (!asked.ok) throw new Error(asked.detail);
  return asked.answer.records;
}

const runs = { numRuns: sized(1000, 100) };
const namesIn = (text: string): readonly string[] => text.match(/(?:north|south|east|west)\/r\d+x/g) ?? [];

describe('activity', () => {
  test('names no repository that its viewer may neither pull from nor inspect, but for those they asked for themselves', async () => {
    await fc.assert(
      fc.asyncProperty(
        anyPolicy,
        fc.array(anyRecord, { maxLength: 60 }),
        fc.constantFrom(...names),
        async (policy, records, name) => {
          const viewer = looker(policy, name);
          const { principal } = viewer.caller;
          const may = (action: 'pull' | 'inspect', repository: string): boolean =>
            policy.decide({ ...circumstances, principal, action, repository }).allowed;
          const sees = (repository: string): boolean => may('pull', repository) || may('inspect', repository);
          const isAuditor = policy.mayEverywhere(principal, 'inspect', circumstances).allowed;
          for (const record of await shown(remembered(records), viewer)) {
            const isOwn = record.account === name && record.kind === 'user';
            for (const repository of namesIn(JSON.stringify(record)))
              expect([
                repository,
                isAuditor || sees(repository) || (isOwn && repository === record.repository),
              ]).toEqual([repository, true]);
            // Whoever is refused in a repository is the business of who may inspect it.
            const { repository = '' } = record;
            expect(isOwn || isAuditor || may('inspect', repository)).toBe(true);
          }
        },
      ),
      runs,
    );
  });

  test('shows everything to who may inspect everywhere, word for word', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(anyRecord, { maxLength: 60 }), async (records) => {
        const policy = compilePolicy(
          readPolicy(
            'users: { ada: {} }\nrules: [{ name: all, subjects: ["user:ada"], repositories: ["**"], actions: [inspect] }]',
          ),
        );
        const found = await shown(remembered(records), looker(policy, 'ada'));
        expect(found).toMatchObject(JSON.parse(JSON.stringify(records.toReversed())) as object[]);
      }),
      runs,
    );
  });

  const policyOfAda = compilePolicy(
    readPolicy(
      'users: { ada: {}, ben: {} }\nrules: [{ name: some, subjects: ["user:ada"], repositories: ["north/**"], actions: [pull, inspect] }]',
    ),
  );
  const own = { account: 'ada', kind: 'user', repository: 'south/r1x', method: 'password' } as const;

  test("shows no login that somebody else tried with the viewer's name", async () => {
    const parts = remembered([{ event: 'login', account: 'ada', address: '198.51.100.9' }]);
    expect(await shown(parts, looker(policyOfAda, 'ada'))).toEqual([]);
  });

  test('shows nothing of whoever had the name before', async () => {
    const parts = remembered([own]);
    expect(await shown(parts, looker(policyOfAda, 'ada'))).toHaveLength(1);
    expect(await shown({ ...parts, sessions: { endedBefore: () => now + 1 } }, looker(policyOfAda, 'ada'))).toEqual([]);
  });

  test('shows to a token nothing of where it does not reach, though its person was there', async () => {
    const parts = remembered([own, { ...own, repository: 'north/r1x' }, { ...own, repository: undefined }]);
    const whole = looker(policyOfAda, 'ada');
    const bound = [{ type: 'repository', name: 'north/r1x', actions: ['pull'] }] as const;
    const token = { ...whole, isInPerson: false, caller: { ...whole.caller, bound } };
    expect((await shown(parts, token)).map(({ repository }) => repository)).toEqual(['north/r1x']);
    expect(await shown(parts, whole)).toHaveLength(3);
  });

  test('finds by account, repository, decision, reason and address, and nothing more by asking for what is hidden', async () => {
    const parts = remembered([
      { account: 'ben', kind: 'user', repository: 'north/r1x', address: '192.0.2.1', reason: 'rule_denies' },
      { account: 'ben', kind: 'user', repository: 'south/r1x', address: '192.0.2.1' },
    ]);
    const count = async (given: Record<string, string>): Promise<number> =>
      (await shown(parts, looker(policyOfAda, 'ada'), given)).length;
    expect(await count({ account: 'ben', repository: 'north/r1x', decision: 'deny' })).toBe(1);
    expect(await count({ reason: 'rule_denies', address: '192.0.2.1' })).toBe(1);
    for (const given of [{ repository: 'south/r1x' }, { reason: 'no_rule' }, { account: 'ada' }, { decision: 'allow' }])
      expect([given, await count(given)]).toEqual([given, 0]);
  });
});

describe('health', () => {
  test('names among the busiest only repositories that its viewer may pull from', async () => {
    await fc.assert(
      fc.asyncProperty(
        anyPolicyOf(['pull', 'push'], auditors),
        fc.array(somewhere, { maxLength: 60 }),
        fc.constantFrom(...names),
        async (policy, pulled, name) => {
          const minutes = createMinutes();
          for (const repository of pulled) minutes.noteSent(repository, 1, 100, now);
          const parts = {
            minutes,
            checks: () => [],
            gateways: () => 1,
            version: '1',
            clock: () => now,
            doctor: { last: undefined },
          };
          const viewer = looker(policy, name);
          const asked = await ask(health, parts, viewer, {});
          const { principal } = viewer.caller;
          if (!asked.ok) throw new Error(asked.detail);
          for (const { repository } of asked.answer.busiest)
            expect(policy.decide({ ...circumstances, principal, action: 'pull', repository }).allowed).toBe(true);
        },
      ),
      runs,
    );
  });
});
