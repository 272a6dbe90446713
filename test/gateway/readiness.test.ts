/** The lines of the readiness page. */
import { expect, test } from 'vitest';
import { checkAll } from '../../src/gateway/readiness.ts';

test('words of others stay on the line of their part', () => {
  const detail = 'unreachable: TLS error\r\n  [+] upstream ok\u001b[2J\n';
  const [check] = checkAll([{ name: 'upstream hub', health: () => ({ ok: false, detail }) }]);
  expect(check).toEqual({
    name: 'upstream hub',
    state: 'degraded',
    detail: 'unreachable: TLS error [+] upstream ok\\u001b[2J',
  });
});
