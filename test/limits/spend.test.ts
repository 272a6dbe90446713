import { describe, expect, test } from 'vitest';
import { stateOfCounter } from '../../src/limits/spend.ts';
import { compile } from '../support/policies.ts';

const policy = compile(`limits:
  - { name: pulls, subjects: [everyone], count: pull, per: account, rate: 6/1m }
`);

describe('a counter that owes much', () => {
  test('is shown as the limit is now, also when it owed more under a larger one', () => {
    expect(stateOfCounter(policy, 'pulls\nuser\ndana', 3600e6)).toMatchObject({
      source: 'dana',
      fits: false,
      remaining: 0,
      waitSeconds: 10,
      fullSeconds: 60,
    });
  });

  test('of a limit that is gone is not shown any more', () => {
    expect(stateOfCounter(policy, 'gone\nuser\ndana', 3600e6)).toBeUndefined();
  });
});
