import { describe, expect, test } from 'vitest';
import { freezesOf, frozenActions, frozenInWords } from '../../src/policy/freezes.ts';
import type { Action } from '../../src/policy/model.ts';
import { compile, user } from '../support/policies.ts';

const compiled = compile(`
users: { rita: {}, dana: {} }
rules:
  - { name: may, subjects: [user:rita], repositories: ["release/**", "public/**", "open/**"], actions: [push, promote, delete] }
  - { name: year-end, effect: deny, subjects: [everyone], repositories: ["release/**"], actions: [push, delete], when: { after: 2026-12-24, before: 2027-01-02 } }
  - { name: weekend, effect: deny, subjects: [everyone], except: [user:dana], repositories: ["release/**"], actions: [push], when: { days: [sat, sun], zone: Europe/Berlin } }
  - { name: versions, effect: deny, subjects: [everyone], repositories: ["release/**"], tags: ["v*"], actions: [overwrite], when: { after: 2026-12-31, before: 2027-01-05 } }
  - { name: trial, effect: deny, mode: shadow, subjects: [everyone], repositories: ["open/**"], actions: [push], when: { after: 2026-12-01 } }
  - { name: closed, effect: deny, subjects: [everyone], repositories: ["public/**"], actions: [push], when: { after: 2026-12-25 } }
  - { name: network, effect: deny, subjects: [everyone], repositories: ["**"], actions: [delete], when: { addresses: [10.0.0.0/8] } }
  - { name: past, effect: deny, subjects: [everyone], repositories: ["release/**"], actions: [push], when: { before: 2026-01-01 } }
`);
const { policy } = compiled;
const at = (text: string): number => Date.parse(text);
const short = (instant: number | undefined): string =>
  instant === undefined ? '-' : new Date(instant).toISOString().slice(0, 16);

describe('freezes', () => {
  const told = (now: string): readonly string[] =>
    freezesOf(policy, at(now)).map(
      ({ rule, isNow, from, until }) => `${isNow ? 'now' : 'later'} ${rule.name} ${short(from)} ${short(until)}`,
    );

  test('are denials with times, those in force first, without what is over', () => {
    expect(told('2026-12-26T12:00Z')).toEqual([
      'now weekend - 2026-12-27T23:00',
      'now year-end 2026-12-24T00:00 2027-01-02T00:00',
      'now closed 2026-12-25T00:00 -',
      'now trial 2026-12-01T00:00 -',
      'later versions 2026-12-31T00:00 2027-01-05T00:00',
    ]);
    expect(told('2026-06-03T12:00Z')).toEqual([
      'later weekend 2026-06-05T22:00 2026-06-07T22:00',
      'later trial 2026-12-01T00:00 -',
      'later year-end 2026-12-24T00:00 2027-01-02T00:00',
      'later closed 2026-12-25T00:00 -',
      'later versions 2026-12-31T00:00 2027-01-05T00:00',
    ]);
  });

  test('of pushing are freezes of promoting, those of half of it are not', () => {
    const actions = new Map(policy.rules.map((rule) => [rule.name, frozenActions(rule)]));
    expect(actions.get('year-end')).toEqual(['push', 'delete', 'promote']);
    expect(actions.get('versions')).toEqual(['overwrite']);
  });

  test('in force are one line, without those that forbid nothing', () => {
    expect(frozenInWords(policy, at('2026-12-24T12:00Z'))).toBe(
      'push, delete, promote in release/** until 2027-01-02T00:00Z (year-end)',
    );
    expect(frozenInWords(policy, at('2026-12-28T12:00Z'))).toBe(
      'push, delete, promote in release/** until 2027-01-02T00:00Z (year-end); push, promote in public/** without an end (closed)',
    );
    expect(frozenInWords(policy, at('2026-06-03T12:00Z'))).toBeUndefined();
  });
});

describe('what a freeze forbids', () => {
  const until = (who: string, action: Action, target: string, now: string): string => {
    const [repository = '', tag] = target.split(':');
    const decision = compiled.decide({ principal: user(who), action, repository, tag, now: at(now) });
    expect(decision.allowed).toBe(false);
    return short(decision.frozenUntil);
  };

  test('is allowed at the end of the last freeze in a row', () => {
    // The year's end runs into a weekend, which ends in Berlin on Sunday evening by UTC.
    for (const action of ['push', 'promote'] as const) {
      expect(until('rita', action, 'release/app', '2026-12-24T12:00Z')).toBe('2027-01-03T23:00');
    }
  });

  test('is told by the end of each freeze that binds the question', () => {
    expect(until('rita', 'push', 'release/app', '2026-06-06T12:00Z')).toBe('2026-06-07T22:00');
    expect(until('rita', 'delete', 'release/app:latest', '2026-12-30T12:00Z')).toBe('2027-01-02T00:00');
    expect(until('rita', 'overwrite', 'release/app:v1', '2027-01-04T12:00Z')).toBe('2027-01-05T00:00');
  });

  test('has no end where waiting does not help', () => {
    expect(until('rita', 'push', 'public/app', '2026-12-30T12:00Z')).toBe('-');
    expect(until('dana', 'push', 'release/app', '2026-12-30T12:00Z')).toBe('-');
    expect(until('dana', 'pull', 'release/app', '2026-12-30T12:00Z')).toBe('-');
  });
});
