/** Directory servers over TLS: whose certificate is believed, and what a man in the middle can do to StartTLS. */
import { randomUUID } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { type Server, type Socket, connect, createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { makeAuthority } from '../support/certificate.ts';
import { directorySettings, withDirectory } from '../support/directories.ts';
import { type Slapd, describeWithSlapd, password, startSlapd } from '../support/slapd.ts';

/** Relays to a server; `onAnswer` may change what comes back. */
async function startMiddle(target: number, onAnswer: (chunk: Buffer, count: number) => Buffer) {
  const sockets = new Set<Socket>();
  const server: Server = createServer((client) => {
    const upstream = connect(target, '127.0.0.1');
    let count = 0;
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => [client, upstream].forEach((each) => each.destroy()));
    }
    client.pipe(upstream);
    upstream.on('data', (chunk: Buffer) => client.write(onAnswer(chunk, count++)));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return {
    url: `ldap://127.0.0.1:${port}`,
    close: () => {
      sockets.forEach((socket) => socket.destroy());
      return new Promise((resolve) => server.close(resolve));
    },
  };
}

describeWithSlapd('directory servers over TLS', () => {
  let slapd: Slapd;
  beforeAll(async () => void (slapd = await startSlapd()));
  afterAll(() => slapd?.stop());

  test.each([
    ['ldaps:// by address', () => slapd.secureUrl, false],
    ['ldaps:// by name', () => `ldaps://localhost:${slapd.securePort}`, false],
    ['StartTLS by address', () => slapd.url, true],
    ['StartTLS by name', () => `ldap://localhost:${slapd.port}`, true],
  ])('%s, believed by the authority that the settings name', async (_, url, startTls) => {
    await withDirectory(directorySettings(url(), { ca: slapd.ca, startTls }), async (directory) => {
      expect(await directory.logIn('dana', password)).toMatchObject({ ok: true, person: { groups: ['developers'] } });
      expect(await directory.logIn('dana', 'wrong')).toMatchObject({ ok: false, reason: 'password_wrong' });
    });
    expect(await slapd.log()).toMatch(/TLS established/);
  });

  test.each([
    ['an authority that nobody named', () => ({ ca: undefined }), 'logins.ldap.ca'],
    ['an authority of others', async () => ({ ca: await otherAuthority() }), 'logins.ldap.ca'],
    ['a file that is none', async () => ({ ca: await textFile() }), 'holds no certificates'],
    ['a file that is not there', () => ({ ca: '/nonexistent/ca.pem' }), '/nonexistent/ca.pem does not exist'],
  ])('%s: nobody gets in, no password is sent, and it is said', async (_, more, words) => {
    const settings = await more();
    for (const [url, startTls] of [
      [slapd.secureUrl, false],
      [slapd.url, true],
    ] as const) {
      const binds = (await slapd.binds()).length;
      await withDirectory(directorySettings(url, { ...settings, startTls }), async (directory) => {
        const detail = expect.stringContaining(words) as string;
        expect(await directory.logIn('dana', password)).toMatchObject({ ok: false, reason: 'unavailable', detail });
      });
      expect((await slapd.binds()).length).toBe(binds);
    }
  });

  test('a name that the certificate does not have is not believed', async () => {
    const url = `ldaps://127.0.0.2:${slapd.securePort}`;
    const middle = await startMiddle(slapd.securePort, (chunk) => chunk);
    const named = middle.url.replace('ldap://127.0.0.1', 'ldaps://localhost');
    expect(await withDirectory(directorySettings(named, { ca: slapd.ca }), (each) => each.look('dana'))).toMatchObject({
      ok: true,
    });
    await middle.close();
    expect(await withDirectory(directorySettings(url, { ca: slapd.ca }), (each) => each.look('dana'))).toMatchObject({
      ok: false,
    });
  });

  test('an authority that is renewed is believed without a restart', async () => {
    const file = join(slapd.dir, 'renewed.pem');
    await writeFile(file, await readFile(await otherAuthority()));
    await withDirectory(directorySettings(slapd.secureUrl, { ca: file }), async (directory) => {
      expect(await directory.look('dana')).toMatchObject({ reason: 'unavailable' });
      await writeFile(file, await readFile(slapd.ca));
      expect(await directory.look('dana')).toMatchObject({ ok: true });
    });
  });

  test('a server that refuses StartTLS gets no password', async () => {
    const middle = await startMiddle(slapd.port, (chunk, count) => (count === 0 ? answer(0x78, 1, 2) : chunk));
    const binds = (await slapd.binds()).length;
    await withDirectory(directorySettings(middle.url, { ca: slapd.ca, startTls: true }), async (directory) => {
      const detail = expect.stringContaining('refuses StartTLS') as string;
      expect(await directory.logIn('dana', password)).toMatchObject({ reason: 'unavailable', detail });
    });
    expect((await slapd.binds()).length).toBe(binds);
    await middle.close();
  });

  // What is added in the clear behind the yes to StartTLS would be read as the beginning of what comes encrypted.
  test.each([
    [
      'the beginning of a yes to the next bind',
      (yes: Buffer) => Buffer.concat([Buffer.from([0x30, yes.length + 30]), yes.subarray(2)]),
    ],
    ['a whole yes to the next bind', (yes: Buffer) => yes],
    ['one byte', () => Buffer.from([0x30])],
  ])('%s, slipped in behind the yes to StartTLS, opens nothing', async (_, slip) => {
    const yes = answer(0x61, 1, 0);
    const middle = await startMiddle(slapd.port, (chunk, count) =>
      count === 0 ? Buffer.concat([chunk, slip(yes)]) : chunk,
    );
    await withDirectory(directorySettings(middle.url, { ca: slapd.ca, startTls: true }), async (directory) => {
      const detail = expect.stringContaining('says more than yes') as string;
      expect(await directory.logIn('dana', 'wrong')).toMatchObject({ ok: false, reason: 'unavailable', detail });
    });
    await middle.close();
  });

  async function otherAuthority(): Promise<string> {
    const dir = join(slapd.dir, randomUUID());
    await mkdir(dir);
    return (await makeAuthority(dir)).ca;
  }
  async function textFile(): Promise<string> {
    const file = join(slapd.dir, 'text');
    await writeFile(file, 'no certificate');
    return file;
  }
});

/** A result, as a server writes it: the library writes only what clients say. */
function answer(tag: number, id: number, status: number): Buffer {
  const result = Buffer.from([0x0a, 1, status, 4, 0, 4, 0]);
  return Buffer.from([0x30, 3 + 2 + result.length, 2, 1, id, tag, result.length, ...result]);
}
