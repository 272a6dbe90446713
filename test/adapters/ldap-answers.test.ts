/** What servers say that is no answer: nobody gets in by it, nothing waits for ever, and the process goes on. */
import { type Server, createServer } from 'node:net';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { filterOf } from '../../src/adapters/ldap/filters.ts';
import { createTrust, openWire } from '../../src/adapters/ldap/open.ts';
import type { Reply, Wire } from '../../src/adapters/ldap/wire.ts';

function part(tag: number, ...content: readonly Buffer[]): Buffer {
  const all = Buffer.concat(content);
  return Buffer.concat([Buffer.from(all.length < 0x80 ? [tag, all.length] : [tag, 0x81, all.length]), all]);
}

const bytes = (tag: number, text: string | readonly number[]): Buffer =>
  part(tag, typeof text === 'string' ? Buffer.from(text) : Buffer.from(text));
const text = (value: string): Buffer => bytes(4, value);
const message = (...parts: readonly Buffer[]): Buffer => part(0x30, bytes(2, [1]), ...parts);
const result = (tag: number, code: number): Buffer => part(tag, bytes(0x0a, [code]), text(''), text('told'));
const attribute = part(0x30, text('uid'), part(0x31, text('dana'), text('d')));
const controls = part(
  0xa0,
  part(0x30, text('1.2.840.113556.1.4.319'), bytes(1, [255]), text('0\u0005\u0002\u0001\u0000\u0004\u0000')),
);
const entry = message(part(0x64, text('uid=dana,dc=example'), part(0x30, attribute, attribute)), controls);
const reference = message(part(0x73, text('ldap://elsewhere')));

describe('answers of directory servers', () => {
  let server: Server;
  let answer: Buffer;
  beforeAll(async () => {
    server = createServer((socket) => {
      socket.on('error', () => {});
      socket.once('data', () => socket.end(answer));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  });
  afterAll(() => void server.close());

  async function asked(given: Buffer, ask: (wire: Wire, deadline: number) => Promise<Reply>): Promise<Reply> {
    answer = given;
    const address = server.address();
    const port = typeof address === 'object' ? (address?.port ?? 0) : 0;
    const at = { url: 'ldap://127.0.0.1', host: '127.0.0.1', port, isTls: false };
    const deadline = performance.now() + 5000;
    const opened = await openWire(at, { startTls: false, trust: createTrust(undefined) }, deadline);
    if (!opened.ok) throw new Error(opened.detail);
    const reply = await ask(opened.wire, deadline);
    opened.wire.close();
    return reply;
  }
  const bind = (given: Buffer): Promise<Reply> =>
    asked(given, (wire, deadline) => wire.bind('uid=dana', 'secret', deadline));
  const filter = filterOf({ kind: 'present', attribute: 'uid' }, { account: '', dn: '' });
  const search = (given: Buffer): Promise<Reply> =>
    asked(given, (wire, deadline) =>
      wire.search({ base: '', scope: 'sub', filter, attributes: [], sizeLimit: 3 }, deadline),
    );

  test('are taken as servers give them', async () => {
    expect(await bind(message(result(0x61, 0)))).toMatchObject({ ok: true, status: 0 });
    expect(await bind(message(result(0x61, 49)))).toMatchObject({ ok: true, status: 49, text: 'told' });
    const found = await search(Buffer.concat([entry, reference, message(result(0x65, 0), controls)]));
    expect(found).toMatchObject({ ok: true, status: 0, entries: [{ dn: 'uid=dana,dc=example' }] });
  });

  test.each([
    ['without a result', message(part(0x61))],
    ['with a result of no bytes', message(part(0x61, bytes(0x0a, []), text(''), text('')))],
    ['with a number for a result', message(part(0x61, bytes(2, [0]), text(''), text('')))],
    ['with a result alone', message(part(0x61, bytes(0x0a, [0])))],
    ['that is one of a search', message(result(0x65, 0))],
    ['without an id', part(0x30, result(0x61, 0))],
    ['with something behind it', message(result(0x61, 0), text('more'))],
  ])('a bind answered %s lets nobody in', async (_, given) => {
    expect(await bind(given)).toMatchObject({ ok: false, why: 'cut' });
  });

  test.each([
    ['an attribute that is none', part(0x30, text('uid'), text('dana'))],
    ['an attribute without a name', part(0x30)],
    ['a value that is a number', part(0x30, text('uid'), part(0x31, bytes(2, [1])))],
    ['a text in place of an attribute', text('uid')],
    ['nothing that is known', bytes(0x87, 'x')],
  ])('an entry with %s is read by nobody', async (_, given) => {
    const answered = await search(message(part(0x64, text('uid=dana'), part(0x30, attribute, given))));
    expect(answered).toMatchObject({ ok: false, detail: 'sends what is no LDAP' });
  });

  test('that are altered in any byte end all the same, and a password is right by none without its result', async () => {
    const whole = [message(result(0x61, 49)), entry, reference, message(result(0x65, 0), controls)];
    const change = fc.record({
      at: fc.nat(),
      to: fc.constantFrom(0, 1, 2, 4, 5, 0x0a, 0x30, 0x31, 0x61, 0x64, 0xa0, 0xff),
    });
    const altered = fc.tuple(fc.constantFrom(...whole), fc.array(change, { minLength: 1, maxLength: 3 }), fc.boolean());
    await fc.assert(
      fc.asyncProperty(altered, async ([given, changes, isBind]) => {
        const copy = Buffer.from(given);
        for (const { at, to } of changes) copy[at % copy.length] = to;
        const reply = await (isBind ? bind : search)(Buffer.concat([copy, message(result(0x65, 0))]));
        if (isBind && reply.ok && reply.status === 0) expect(copy.includes(Buffer.from([0x0a, 1, 0]))).toBe(true);
      }),
      { numRuns: 1500 },
    );
  });
});
