/** When a gateway leaves the balancer because others do better, on a clock that the tests move. */
import { expect, test } from 'vitest';
import { type Company, createCompany } from '../../src/gateway/company.ts';

const patienceMs = 30_000;
let ms = 0;
/** One that has asked each registry once; others say what they reach. */
function start(answers: Readonly<Record<string, boolean>>, { isDraining = false } = {}): Company {
  const company = createCompany(
    () => isDraining,
    () => ms,
  );
  for (const [name, isThere] of Object.entries(answers)) company.note(name, isThere);
  return company;
}
/** Later, with a word from the others just now. */
function later(company: Company, others: readonly (readonly string[] | undefined)[], byMs = patienceMs): Company {
  ms += byMs;
  company.hear(others.map((reaches) => (reaches === undefined ? {} : { reaches })));
  return company;
}

test('it leaves after half a minute in which another one reaches what it does not, and not before', () => {
  const company = start({ main: false });
  expect(later(company, [['main']], patienceMs - 1).betterOff('main')).toBe(0);
  expect(later(company, [['main'], ['main'], []], 1).betterOff('main')).toBe(2);
  expect(company.reaches()).toEqual([]);
});

test('it comes back with the first answer, and has half a minute again', () => {
  const company = later(start({ main: false }), [['main']]);
  company.note('main', true);
  expect([company.betterOff('main'), company.reaches()]).toEqual([0, ['main']]);
  company.note('main', false);
  company.note('main', false);
  expect(later(company, [['main']], patienceMs - 1).betterOff('main')).toBe(0);
  company.note('main', false);
  expect(later(company, [['main']], 1).betterOff('main')).toBe(1);
});

test.each([
  ['nobody else is there', { main: false }, []],
  ['nobody reaches it', { main: false }, [[], ['other']]],
  ['the others are of a version that does not say', { main: false }, [undefined, undefined]],
  ['the other one lacks what it has itself', { main: false, hub: true }, [['main']]],
  [
    'several others together have all of it',
    { main: false, hub: true, lab: true },
    [
      ['main', 'hub'],
      ['main', 'lab'],
    ],
  ],
  ['the registry is not one that it was asked about', {}, [['main']]],
])('it stays where %s', (_, answers, others) => {
  const company = later(start(answers), others);
  expect(company.betterOff('main')).toBe(0);
});

test('it leaves for one that reaches all that it reaches, and more', () => {
  const company = later(start({ main: false, hub: true }), [['main', 'hub', 'lab']]);
  expect([company.betterOff('main'), company.betterOff('hub'), company.reaches()]).toEqual([1, 0, []]);
});

test('what nobody repeated for ten seconds counts for nothing: the last one never leaves', () => {
  const company = later(start({ main: false }), [['main']]);
  ms += 10_000;
  expect(company.betterOff('main')).toBe(1);
  ms += 1;
  expect(company.betterOff('main')).toBe(0);
  expect(later(company, [], 1).betterOff('main')).toBe(0);
});

test('one that drains is nobody to leave for', () => {
  expect(start({ main: true }, { isDraining: true }).reaches()).toEqual([]);
});

test('of any gateways that know of each other never all leave', () => {
  const names = ['a', 'b', 'c'];
  const sets = Array.from({ length: 8 }, (_, bits) => names.filter((_name, at) => (bits >> at) & 1));
  for (const first of sets)
    for (const second of sets)
      for (const third of sets) {
        const all = [first, second, third];
        const companies = all.map((reached) =>
          start(Object.fromEntries(names.map((name) => [name, reached.includes(name)]))),
        );
        const said = companies.map((company) => company.reaches());
        ms += patienceMs;
        companies.forEach((company, self) =>
          company.hear(said.filter((_each, at) => at !== self).map((reaches) => ({ reaches }))),
        );
        const staying = companies.filter((company) => names.every((name) => company.betterOff(name) === 0));
        expect(staying.length, JSON.stringify(all)).toBeGreaterThan(0);
      }
});
