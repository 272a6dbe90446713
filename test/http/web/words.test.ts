/** What clients and limits are called on the page. */
import { expect, test } from 'vitest';
import { clientName } from '../../../src/http/web/pages/client-name.ts';
import { inWords } from '../../../src/http/web/pages/limit-words.ts';
import { ago } from '../../../src/http/web/pages/parts.tsx';

const chrome = 'AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0';

test.each([
  [`Mozilla/5.0 (X11; Linux x86_64) ${chrome} Safari/537.36`, 'Chrome on Linux'],
  [`Mozilla/5.0 (Windows NT 10.0; Win64; x64) ${chrome} Safari/537.36 Edg/131.0.0.0`, 'Edge on Windows'],
  [`Mozilla/5.0 (Windows NT 10.0; Win64; x64) ${chrome} Safari/537.36 OPR/116.0.0.0`, 'Opera on Windows'],
  ['Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:133.0) Gecko/20100101 Firefox/133.0', 'Firefox on macOS'],
  ['Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) Version/18.1 Mobile/15E148 Safari/604.1', 'Safari on iOS'],
  [`Mozilla/5.0 (Linux; Android 15; Pixel 9) ${chrome} Mobile Safari/537.36`, 'Chrome on Android'],
  [`Mozilla/5.0 (somewhere) ${chrome}`, 'Chrome'],
  ['Mozilla/5.0 of nobody', 'Mozilla/5.0 of nobody'],
  ['docker/29.1.0 go/go1.25 kernel/6.1 os/linux arch/amd64 UpstreamClient(Docker-Client/29.1)', 'docker/29.1.0'],
  ['containers/5.24.1 (github.com/containers/image)', 'containers/5.24.1'],
  ['node', 'node'],
  ['<b>docker</b> 1', '<b>docker</b> 1'],
  ['', ''],
])('%j is called %j', (userAgent, name) => {
  expect(clientName(userAgent)).toBe(name);
});

test.each([
  ['pull', '1000/6h', '1,000 pulls in 6 hours'],
  ['push', '600/1h', '600 pushes in 1 hour'],
  ['token', '1/2d', '1 login for tokens in 2 days'],
  ['pull', 'no rate', 'pulls, no rate'],
] as const)('%s %s is "%s"', (count, rate, words) => {
  expect(inWords(count, rate)).toBe(words);
});

test.each([
  [-59, 'just now'],
  [-119, '1 minute ago'],
  [-2 * 86_400 + 1, '1 day ago'],
  [30 * 86_400 - 1, 'in 30 days'],
  [90, 'in 2 minutes'],
])('%d seconds from now is "%s"', (seconds, words) => {
  expect(ago(1_000_000_000_000 + seconds * 1000, 1_000_000_000_000)).toBe(words);
});
