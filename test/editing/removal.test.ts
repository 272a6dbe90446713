import { describe, expect, test } from 'vitest';
import { addGroup } from '../../src/editing/accounts.ts';
import { type Place, removeAt } from '../../src/editing/removal.ts';

describe('what is taken out leaves everything around it as it was', () => {
  test.each<[what: string, before: string, place: Place, after: string]>([
    [
      'an entry among others, comments above and below it stay',
      'users:\n  # first\n  dana: # she\n    # inner\n    groups: [a]\n  # second\n  rita: {}\n',
      ['users', 'dana'],
      'users:\n  # first\n  # second\n  rita: {}\n',
    ],
    [
      'the only entry',
      'users: # people\n  dana: {}\nrules: []\n',
      ['users', 'dana'],
      'users: {} # people\nrules: []\n',
    ],
    ['an entry in braces', 'users: { dana: { groups: [a] }, rita: {} }\n', ['users', 'dana'], 'users: { rita: {} }\n'],
    ['the last entry in braces', 'users: { rita: {}, "dana": {} }\n', ['users', 'dana'], 'users: { rita: {} }\n'],
    ['the only entry in braces', 'users: { dana: {} }\n', ['users', 'dana'], 'users: { }\n'],
    ['a name that YAML quotes', "users:\n  '007': {}\n  dana: {}\n", ['users', '007'], 'users:\n  dana: {}\n'],
    [
      'an item of a list, the last line without its end',
      'rules:\r\n  - name: a\r\n    x: 1\r\n  - name: b',
      ['rules', 1],
      'rules:\r\n  - name: a\r\n    x: 1',
    ],
    [
      'an entry of an item',
      'rules:\n  - name: a\n    except: [user:dana] # why\n    x: 1\n',
      ['rules', 0, 'except'],
      'rules:\n  - name: a\n    x: 1\n',
    ],
    [
      'an item of a list within an item',
      'rules:\n  - { name: a, subjects: [group:x, user:dana] } # CI\n',
      ['rules', 0, 'subjects', 1],
      'rules:\n  - { name: a, subjects: [group:x] } # CI\n',
    ],
    ['the only item', 'tests:\n  - name: a\n    as: anonymous\n', ['tests', 0], 'tests: []\n'],
  ])('%s', (_what, before, place, after) => {
    expect(removeAt(before, place)).toEqual({ ok: true, text: after });
  });

  test.each<[string, Place]>([
    ['users: {}\n', ['users', 'dana']],
    ['rules: []\n', ['rules', 0]],
    ['users: {}\n', ['robots', 'dana']],
    ['users: { dana: {} }\n', ['users', 0]],
  ])('what %j does not have cannot be taken out', (text, place) => {
    expect(removeAt(text, place)).toMatchObject({ ok: false });
  });
});

describe('a group', () => {
  const dana = { section: 'users', name: 'dana' } as const;
  test.each<[what: string, before: string, after: string]>([
    ['behind the others', 'users:\n  dana: { groups: [a] } # she\n', 'users:\n  dana: { groups: [a, new] } # she\n'],
    [
      'behind the others of a list in lines',
      'users:\n  dana:\n    groups:\n      - a # one\n    password: x\n',
      'users:\n  dana:\n    groups:\n      - a # one\n      - new\n    password: x\n',
    ],
    ['into an empty list', 'users: { dana: { groups: [] } }\n', 'users: { dana: { groups: [new] } }\n'],
    [
      'where there were none',
      'users:\n  dana: # she\n    password: x\n',
      'users:\n  dana: # she\n    groups: [new]\n    password: x\n',
    ],
    ['into an account of nothing', 'users:\n  dana: {}\n', 'users:\n  dana: { groups: [new] }\n'],
  ])('is added %s', (_what, before, after) => {
    expect(addGroup(before, dana, 'new')).toEqual({ ok: true, text: after });
  });

  test('is taken out, and the last one leaves an empty list', () => {
    const before = 'robots:\n  ci:\n    groups: # where\n      - a\n      - b # second\n';
    const one = removeAt(before, ['robots', 'ci', 'groups', 1]);
    expect(one).toEqual({ ok: true, text: 'robots:\n  ci:\n    groups: # where\n      - a\n' });
    expect(removeAt(one.ok ? one.text : '', ['robots', 'ci', 'groups', 0])).toEqual({
      ok: true,
      text: 'robots:\n  ci:\n    groups: [] # where\n',
    });
  });
});
