/** Authorities of certificates from a file, beside those of the system. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as tls from 'node:tls';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readAuthorities } from '../../src/adapters/files/authorities.ts';
import { createLoginServers } from '../../src/adapters/registry/login-servers.ts';
import { type LoginStand, startLoginStand } from '../support/login-stand.ts';
import { makeTempDir, removeTempDir } from '../support/temp-dir.ts';

let stand: LoginStand;
let dir: string;
beforeAll(async () => {
  stand = await startLoginStand();
  dir = await makeTempDir('authorities');
});
afterAll(async () => {
  await stand.close();
  await removeTempDir(dir);
});

const ask = (trust: tls.SecureContext | undefined): ReturnType<ReturnType<typeof createLoginServers>['ask']> =>
  createLoginServers(trust).ask({ url: new URL(stand.registry.url), headers: {} });

test('an authority from a file is believed, and no other that nobody named', async () => {
  expect(await ask(readAuthorities(stand.ca))).toMatchObject({ ok: true, status: 401 });
  const other = await startLoginStand();
  expect(await ask(readAuthorities(other.ca))).toMatchObject({ ok: false });
  await other.close();
});

test('those that Node.js was told of otherwise stay', async () => {
  const file = join(dir, 'one.pem');
  await writeFile(file, tls.rootCertificates[0] ?? '');
  const before = process.env['NODE_EXTRA_CA_CERTS'];
  process.env['NODE_EXTRA_CA_CERTS'] = stand.ca;
  // Later ones have read it at their start, which was before.
  const isReadHere = !('getCACertificates' in tls);
  expect(await ask(readAuthorities(file))).toMatchObject({ ok: isReadHere });
  if (before === undefined) delete process.env['NODE_EXTRA_CA_CERTS'];
  else process.env['NODE_EXTRA_CA_CERTS'] = before;
});
