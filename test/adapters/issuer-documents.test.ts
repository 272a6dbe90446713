/** Documents of issuers over https and from files: whole, in time, of a bounded size and from where they should be. */
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { createIssuerDocuments } from '../../src/adapters/issuers/documents.ts';
import { run } from '../support/programs.ts';
import { type Issuer, startIssuer } from '../support/issuer.ts';

const documents = createIssuerDocuments();
let issuer: Issuer;
let dir: string;
beforeAll(async () => {
  issuer = await startIssuer([]);
  dir = await mkdtemp(join(tmpdir(), 'portcullis-documents-'));
});
afterAll(async () => {
  await issuer.close();
  await rm(dir, { recursive: true });
});
beforeEach(() => (issuer.instead = undefined));

const get = (path = '/keys'): ReturnType<typeof documents.get> => documents.get(`${issuer.url}${path}`, issuer.ca);

test('is what the server answers', async () => {
  expect(await get()).toEqual({ ok: true, text: '{"keys":[]}' });
});

test('is taken only from a server with a certificate of the authority that is named', async () => {
  expect(await documents.get(`${issuer.url}/keys`, undefined)).toMatchObject({
    ok: false,
    detail: expect.stringContaining('name its authority with `ca`'),
  });
  const other = await startIssuer([]);
  expect(await documents.get(`${issuer.url}/keys`, other.ca)).toMatchObject({ ok: false });
  await other.close();
});

test.each([404, 500, 204, 401])('is none with status %d', async (status) => {
  issuer.instead = () => ({ status, ...(status === 204 ? {} : { body: '{}' }) });
  expect(await get()).toMatchObject({ ok: false, detail: expect.stringContaining(`status ${status}`) });
});

test('is followed on its own host, and nowhere else', async () => {
  issuer.instead = (path) => (path === '/keys' ? { status: 302, location: '/moved' } : { status: 200, body: '[1]' });
  expect(await get()).toEqual({ ok: true, text: '[1]' });
  const other = await startIssuer([]);
  for (const location of [`${other.url}/keys`, issuer.url.replace('https', 'http'), 'https://127.0.0.1/', '//[']) {
    issuer.instead = () => ({ status: 302, location });
    expect(await get()).toMatchObject({ ok: false, detail: expect.stringContaining('redirects to') });
  }
  expect(other.requests).toEqual([]);
  await other.close();
  issuer.instead = () => ({ status: 302, location: '/keys' });
  expect(await get()).toMatchObject({ ok: false, detail: expect.stringContaining('redirects too often') });
});

test('is 64 KiB at most, on the wire as on the disk', async () => {
  issuer.instead = () => ({ status: 200, body: 'x'.repeat(65_536) });
  expect(await get()).toMatchObject({ ok: true });
  issuer.instead = () => ({ status: 200, body: 'x'.repeat(65_537) });
  expect(await get()).toMatchObject({ ok: false, detail: expect.stringContaining('larger than 64 KiB') });
  const file = join(dir, 'large');
  await writeFile(file, 'x'.repeat(65_537));
  expect(await documents.read(file)).toMatchObject({
    ok: false,
    detail: expect.stringContaining('larger than 64 KiB'),
  });
});

test('is waited for at most so long, whether the server is silent or slow', async () => {
  const silent = createServer(() => {});
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  const { port } = silent.address() as { port: number };
  const found = await createIssuerDocuments(200).get(`https://127.0.0.1:${port}/`, undefined);
  expect(found).toMatchObject({ ok: false, detail: expect.stringContaining('does not answer in time') });
  await new Promise((resolve) => silent.close(resolve).unref() && resolve(undefined));
});

test('is never asked for without https, and never rejects', async () => {
  for (const url of ['http://127.0.0.1/', 'file:///etc/passwd', 'nonsense', 'https://127.0.0.1:1/'])
    expect((await documents.get(url, undefined)).ok).toBe(false);
  expect(await documents.get(`${issuer.url}/keys`, join(dir, 'none.pem'))).toMatchObject({ ok: false });
});

test('is read from a file, through a link, and from nothing that would block', async () => {
  await writeFile(join(dir, 'keys.json'), '{"keys":[]}');
  await symlink('keys.json', join(dir, 'link.json'));
  expect(await documents.read(join(dir, 'link.json'))).toEqual({ ok: true, text: '{"keys":[]}' });
  expect(await documents.read(join(dir, 'none'))).toMatchObject({
    ok: false,
    detail: expect.stringMatching(/does not exist$/),
  });
  expect(await documents.read(dir)).toMatchObject({ ok: false });
  if ((await run('mkfifo', [join(dir, 'pipe')])).code === 0)
    expect(await documents.read(join(dir, 'pipe'))).toMatchObject({
      ok: false,
      detail: expect.stringContaining('regular file'),
    });
});
