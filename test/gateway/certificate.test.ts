import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { type Certificate, certificateProblem } from '../../src/gateway/certificate.ts';
import { makeCertificate } from '../support/certificate.ts';
import { describeWithPrograms, run } from '../support/programs.ts';
import { makeTempDir, removeTempDir } from '../support/temp-dir.ts';

describeWithPrograms(['openssl'], 'a pair of certificate and key', () => {
  let good: Certificate;
  let other: Certificate;
  let weak: Certificate;

  beforeAll(async () => {
    const dir = await makeTempDir('tls');
    const read = async (name: string): Promise<Certificate> => ({
      cert: await readFile(join(dir, `${name}.crt`), 'utf8'),
      key: await readFile(join(dir, `${name}.key`), 'utf8'),
    });
    for (const name of ['good', 'other']) await makeCertificate(join(dir, `${name}.crt`), join(dir, `${name}.key`));
    await run('openssl', [
      ...['req', '-x509', '-newkey', 'rsa:512', '-noenc', '-days', '2', '-subj', '/CN=weak'],
      ...['-keyout', join(dir, 'weak.key'), '-out', join(dir, 'weak.crt')],
    ]);
    [good, other, weak] = await Promise.all([read('good'), read('other'), read('weak')]);
    return () => removeTempDir(dir);
  });

  const tomorrow = 86_400_000;

  test('can be served while it is whole and has not expired', () => {
    expect(certificateProblem(good, Date.now())).toBeUndefined();
    expect(certificateProblem({ ...good, cert: good.cert + other.cert }, Date.now())).toBeUndefined();
    expect(certificateProblem(good, Date.now() + 3 * tomorrow)).toMatch(/^the certificate expired on /);
  });

  test.each([
    ['a key of another certificate', () => ({ ...good, key: other.key }), /the key does not belong/],
    ['no certificate', () => ({ ...good, cert: 'none' }), /cannot be read: /],
    ['an empty certificate', () => ({ ...good, cert: '' }), /cannot be read: /],
    ['half a key', () => ({ ...good, key: good.key.slice(0, 100) }), /cannot be read: /],
    ['a key too short for TLS', () => weak, /cannot be read: .*too small/],
    [
      'a chain with a part that is none',
      () => ({ ...good, cert: `${good.cert}${half(other.cert)}` }),
      /cannot be read/,
    ],
  ])('is refused with %s', (_what, pair, words) => {
    expect(certificateProblem(pair(), Date.now())).toMatch(words);
  });

  const half = (pem: string): string => pem.replace(/\n[^\n]+/, '');
});
