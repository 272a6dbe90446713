/** What of all that passes is shown on Health. */
import { expect, test } from 'vitest';
import { createMinutes } from '../../src/adapters/memory/minutes.ts';
import { createRecent } from '../../src/adapters/memory/recent.ts';
import { createObserved } from '../../src/gateway/observed.ts';
import { remembering } from '../../src/gateway/remembered.ts';
import type { AuditRecord } from '../../src/ports.ts';

const now = Date.UTC(2026, 10, 27, 12);
const clock = (): number => now;
const nothing = (): void => {};
const log = { record: nothing, info: nothing, warn: nothing, error: nothing, dropped: () => 0, flush: nothing };

test('a tag that is not there was not pulled, and says nothing of what went to clients', () => {
  const minutes = createMinutes();
  const observed = remembering(createObserved(log), createRecent(clock), minutes, clock);
  const get: AuditRecord = {
    event: 'access',
    decision: 'allow',
    reason: 'rule_allows',
    action: 'pull',
    reference: 'v1',
  };
  observed.audit.record({ ...get, repository: 'there', status: 200, bytes: 500 });
  for (let times = 0; times < 3; times++)
    observed.audit.record({ ...get, repository: 'away', status: 404, bytes: 110 });
  expect(minutes.busiest(now, 10, () => true)).toEqual([{ repository: 'there', pulls: 1, bytes: 500 }]);
  expect(minutes.list(now).at(-1)).toMatchObject({ bytesOut: 500 });
  observed.close();
});
