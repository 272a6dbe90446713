/** A policy that a registry could not hold to by itself is refused, rule by rule. */
import { describe, expect, test } from 'vitest';
import { lintTokenMode } from '../../../src/policy/analysis/lint-token-mode.ts';
import { readPolicy } from '../../support/policies.ts';

const accessTtlSeconds = 120;
const codes = (...texts: readonly string[]): readonly string[] =>
  lintTokenMode(readPolicy(...texts), accessTtlSeconds).map(({ code, line }) => `${line} ${code}`);
const rule = (rest: string): string =>
  `rules:\n  - { name: one, subjects: [everyone], repositories: ['**'], ${rest} }\n`;

test('what names repositories, and actions that a registry knows, stays', () => {
  const sound = `
groups: { developers: {} }
users: { dana: { groups: [developers] } }
robots: { builder: { tokens: [{ id: k1k1, sha256: ${'a'.repeat(64)}, repositories: ['a/**'], actions: [pull, push] }] } }
rules:
  - { name: share, subjects: [group:developers], repositories: ['sandbox/**'], actions: [pull, push, delete] }
  - { name: both-halves, subjects: [group:developers], repositories: ['b/**'], actions: [create, overwrite] }
  - { name: list, subjects: [authenticated], repositories: ['**'], actions: [catalog, inspect, administer] }
  - { name: own, subjects: [authenticated], repositories: ['home/\${account}/**'], actions: [pull, push] }
  - { name: freeze, effect: deny, subjects: [everyone], repositories: ['sandbox/x'], actions: [push], when: { after: 2030-12-24T00:00:00Z, before: 2031-01-02T00:00:00Z } }
  - { name: at-night, effect: deny, subjects: [everyone], repositories: ['sandbox/y'], actions: [push], when: { hours: 18:00-06:00 } }
  - { name: at-weekends, effect: deny, subjects: [everyone], repositories: ['sandbox/z'], actions: [push], when: { days: [sat, sun] } }
  - { name: nights-of-weekends, subjects: [group:developers], repositories: ['n/**'], actions: [pull], when: { days: [sat, sun], hours: 22:00-06:00, zone: Europe/Berlin } }
  - { name: begun-in-the-morning, subjects: [group:developers], repositories: ['m/**'], actions: [pull], when: { after: 2030-01-01T08:00:00Z, before: 2030-02-01T12:00:00Z, hours: 08:00-18:00 } }
  - { name: whole-week, subjects: [group:developers], repositories: ['w/**'], actions: [pull], when: { days: [mon, tue, wed, thu, fri, sat, sun], zone: Asia/Kathmandu } }
limits: [{ name: tokens, subjects: [everyone], count: token, per: address, rate: 100/1m }]
`;
  expect(codes(sound)).toEqual([]);
});

describe('refused is', () => {
  test.each([
    ['a rule about tags', rule("tags: ['v*'], actions: [pull]"), '2 token-mode-tags'],
    ['a denial about tags', rule("effect: deny, tags: ['v*'], actions: [push]"), '2 token-mode-tags'],
    ['one in shadow mode', rule("mode: shadow, effect: deny, tags: ['v*'], actions: [push]"), '2 token-mode-tags'],
    ['new tags only', rule('actions: [pull, create]'), '2 token-mode-half-push'],
    ['existing tags only', rule('actions: [overwrite]'), '2 token-mode-half-push'],
    ['a denial of half a push', rule('effect: deny, actions: [overwrite]'), '2 token-mode-half-push'],
    ['promoting', rule('actions: [pull, promote]'), '2 token-mode-promote'],
    ['addresses', rule('actions: [pull], when: { addresses: [10.0.0.0/8] }'), '2 token-mode-address'],
    [
      'a few minutes of a day',
      rule('effect: deny, actions: [push], when: { hours: 12:00-12:05 }'),
      '2 token-mode-time',
    ],
    [
      'all but a few minutes of a day',
      rule('effect: deny, actions: [push], when: { hours: 12:05-12:00 }'),
      '2 token-mode-time',
    ],
    [
      'a few minutes of the year',
      rule('actions: [push], when: { after: 2030-01-01T00:00:00Z, before: 2030-01-01T00:05:59Z }'),
      '2 token-mode-time',
    ],
    [
      'hours over midnight into a day that is not among its days',
      rule('actions: [push], when: { days: [mon], hours: 23:00-00:02 }'),
      '2 token-mode-time',
    ],
    [
      'hours over midnight from a day that is not among its days',
      rule('effect: deny, actions: [push], when: { days: [sat], hours: 23:58-06:00 }'),
      '2 token-mode-time',
    ],
    [
      'hours of which little is left behind its beginning',
      rule('actions: [push], when: { after: 2030-01-01T17:57:00Z, hours: 08:00-18:00 }'),
      '2 token-mode-time',
    ],
    [
      'hours, in a zone, of which little has gone by before its end',
      rule('actions: [push], when: { before: 2030-01-01T07:03:00Z, hours: 08:00-18:00, zone: Europe/Berlin }'),
      '2 token-mode-time',
    ],
    [
      'a day of which little is left behind its beginning',
      rule('actions: [push], when: { after: 2030-01-01T23:56:30Z, days: [tue] }'),
      '2 token-mode-time',
    ],
    [
      'a list of some names',
      "rules:\n  - { name: one, subjects: [everyone], repositories: ['a/**'], actions: [catalog] }\n",
      '2 token-mode-catalog',
    ],
    [
      'a gate',
      "gates:\n  - { name: approved, repositories: ['release/**'], from: ['integration/**'] }\n",
      '2 token-mode-gate',
    ],
    [
      'a limit on pulls',
      'limits:\n  - { name: pulls, subjects: [everyone], count: pull, per: address, rate: 10/1m }\n',
      '2 token-mode-limit',
    ],
    [
      'a limit on pushes',
      'limits:\n  - { name: pushes, subjects: [everyone], count: push, per: address, rate: 10/1m }\n',
      '2 token-mode-limit',
    ],
    [
      'a secret for new tags only',
      `robots:\n  r:\n    tokens:\n      - { id: k1k1, sha256: ${'a'.repeat(64)}, actions: [create] }\n`,
      '4 token-mode-secret',
    ],
  ])('%s', (_what, text, code) => {
    expect(codes(text)).toEqual([code]);
  });

  test('all of them at once, in the order of the file', () => {
    expect(codes(rule("tags: ['v*'], actions: [create, promote], when: { addresses: [10.0.0.0/8] }"))).toHaveLength(4);
  });
});

test('exactly twice the time in which an edit binds is long enough', () => {
  const of = (end: string): readonly string[] =>
    codes(rule(`actions: [push], when: { after: 2030-01-01T00:00:00Z, before: ${end} }`));
  expect(of('2030-01-01T00:06:00Z')).toEqual([]);
  expect(of('2030-01-01T00:05:59Z')).toEqual(['2 token-mode-time']);
  const cut = (end: string): readonly string[] =>
    codes(rule(`actions: [push], when: { before: ${end}, hours: 08:00-18:00 }`));
  expect(cut('2030-01-01T08:06:00Z')).toEqual([]);
  expect(cut('2030-01-01T08:05:59Z')).toEqual(['2 token-mode-time']);
});

test('says which rule, why, and what to do', () => {
  const [problem] = lintTokenMode(readPolicy(rule("tags: ['v*'], actions: [pull]")), accessTtlSeconds);
  expect(problem).toMatchObject({
    message: 'rule "one" cannot hold in token mode: a token names repositories, and no tags',
    fix: 'write it without tags, or leave enforce: token',
  });
});
