import { execFileSync } from 'node:child_process';
import { type KeyObject, createPublicKey, generateKeyPairSync } from 'node:crypto';
import { chmod, mkdir, readFile, readdir, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { calculateJwkThumbprint, exportJWK } from 'jose';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type FollowedKeys, followKeyDirectory, readKeyFiles } from '../../src/adapters/files/key-ring.ts';
import { makeTempDir, removeTempDir } from '../support/temp-dir.ts';

let place: string;
let keys: string;
let rings: FollowedKeys[];
beforeEach(async () => {
  place = await makeTempDir('keys');
  keys = join(place, 'keys');
  rings = [];
});
afterEach(async () => {
  for (const ring of rings) ring.close();
  await removeTempDir(place);
});

const ec = (namedCurve = 'P-256'): KeyObject => generateKeyPairSync('ec', { namedCurve }).privateKey;
const pem = (key: KeyObject): string => key.export({ type: 'pkcs8', format: 'pem' }).toString();
const jwk = (key: KeyObject): string => JSON.stringify(key.export({ format: 'jwk' }));

async function put(name: string, content: string | Buffer, mode = 0o600): Promise<string> {
  await mkdir(keys, { recursive: true, mode: 0o700 });
  await writeFile(join(keys, name), content, { mode });
  return join(keys, name);
}

/** The ring of a gateway that starts with the directory as it is. */
function ring(generate = false, directory = keys): FollowedKeys {
  const reading = readKeyFiles(directory, generate);
  if (!reading.ok) throw new Error(reading.problems.map(({ file, message }) => `${file}: ${message}`).join('\n'));
  const options = { directory, clock: Date.now, onChange: () => {}, pollMs: 3_600_000 };
  const followed = followKeyDirectory(reading.files, options);
  rings.push(followed);
  return followed;
}

function problemsOf(directory = keys, generate = false): string {
  const reading = readKeyFiles(directory, generate);
  return reading.ok ? 'none' : reading.problems.map(({ file, message }) => `${file} ${message}`).join('\n');
}

const thumbprintOf = async (key: KeyObject): Promise<string> =>
  calculateJwkThumbprint(await exportJWK(createPublicKey(key)));
const modeOf = async (path: string): Promise<string> => ((await stat(path)).mode & 0o777).toString(8);

describe('the age of the key that signs', () => {
  test('counts from its making, which its name tells, or else from that of its file', async () => {
    await put('20260102T030405678Z.pem', pem(ec()));
    expect(ring().signingSince()).toBe(Date.UTC(2026, 0, 2, 3, 4, 5, 678));
    const path = await put('z.pem', pem(ec()));
    expect(ring().signingSince()).toBe((await stat(path)).mtimeMs);
  });
});

describe('a key directory that is missing or empty', () => {
  test('gets one ES256 key that only its owner can read, and keeps it', async () => {
    const { kid, algorithm } = ring(true).signingKey();
    expect(algorithm).toBe('ES256');
    const files = await readdir(keys);
    expect(files).toHaveLength(1);
    expect(await modeOf(keys)).toBe('700');
    expect(await modeOf(join(keys, files[0] ?? ''))).toBe('600');
    expect(ring(true).signingKey().kid).toBe(kid);
    expect(ring(false).signingKey().kid).toBe(kid);
    expect(await readdir(keys)).toEqual(files);
  });

  test('gets a key of its own each time: two gateways never share one by accident', () => {
    expect(ring(true, join(place, 'other')).signingKey().kid).not.toBe(ring(true).signingKey().kid);
  });

  test('is closed to others when it was open', async () => {
    await mkdir(keys, { mode: 0o755 });
    ring(true);
    expect(await modeOf(keys)).toBe('700');
  });

  test('gets a key also when it holds nothing but hidden files', async () => {
    await put('.old.pem', 'x');
    expect(ring(true).keys()).toHaveLength(1);
  });

  test('is a problem when keys are not to be made', async () => {
    expect(problemsOf()).toContain('the key directory cannot be used');
    await mkdir(keys);
    expect(problemsOf()).toContain('the key directory holds no key (*.pem, *.jwk)');
  });

  test('is a problem, not a crash, where none can be made', async () => {
    await writeFile(join(place, 'file'), '');
    expect(problemsOf(join(place, 'file'), true)).toContain('the key directory cannot be used');
    expect(problemsOf(join(place, 'file', 'keys'), true)).toContain('the key directory cannot be used');
  });
});

describe('a key', () => {
  const kinds: readonly (readonly [algorithm: string, make: () => KeyObject])[] = [
    ['ES256', () => ec('P-256')],
    ['ES384', () => ec('P-384')],
    ['EdDSA', () => generateKeyPairSync('ed25519').privateKey],
    ['RS256', () => generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey],
  ];
  test.each(kinds)('for %s is named by its RFC 7638 thumbprint, in PEM as in JWK', async (algorithm, make) => {
    const key = make();
    await put('a.pem', pem(key));
    await put('b.jwk', jwk(key));
    const read = ring();
    expect(read.keys()).toMatchObject([{ algorithm, kid: await thumbprintOf(key) }]);
    expect(read.signingKey().kid).toBe(read.keys()[0]?.kid);
  });

  test('whose coordinate begins with a zero byte has the thumbprint of its padded form', async () => {
    let key = ec();
    const startsWithZero = ({ x = '', y = '' }: { readonly x?: string; readonly y?: string }): boolean =>
      [x, y].some((part) => Buffer.from(part, 'base64url')[0] === 0);
    while (!startsWithZero(key.export({ format: 'jwk' }))) key = ec();
    await put('a.pem', pem(key));
    expect(ring().signingKey().kid).toBe(await thumbprintOf(key));
  });

  test('may be in SEC 1 or PKCS#1 form, with text around it', async () => {
    await put('a.key', `Our key:\n${ec().export({ type: 'sec1', format: 'pem' }).toString()}`);
    await put(
      'b.pem',
      generateKeyPairSync('rsa', { modulusLength: 2048 })
        .privateKey.export({ type: 'pkcs1', format: 'pem' })
        .toString(),
    );
    expect(
      ring()
        .keys()
        .map(({ algorithm }) => algorithm),
    ).toEqual(['ES256', 'RS256']);
  });

  test('signs when its file is the last by name; all are accepted', async () => {
    const [first, second, third] = [ec(), ec('P-384'), ec()];
    await put('2026-03.pem', pem(third));
    await put('2026-01.pem', pem(first));
    await put('2026-02.json', jwk(second));
    const read = ring();
    expect(read.signingKey().kid).toBe(await thumbprintOf(third));
    expect(
      read
        .keys()
        .map(({ kid }) => kid)
        .sort(),
    ).toEqual((await Promise.all([first, second, third].map(thumbprintOf))).sort());
  });

  test('signs also when it lies under an earlier name as well', async () => {
    const [again, other] = [ec(), ec()];
    await put('a.pem', pem(again));
    await put('b.pem', pem(other));
    await put('c.pem', pem(again));
    expect(ring().signingKey().kid).toBe(await thumbprintOf(again));
    expect(ring().keys()).toHaveLength(2);
  });

  test('may be reached through a link, as Kubernetes mounts secrets', async () => {
    await put('..data', '');
    await mkdir(join(place, 'elsewhere'));
    await writeFile(join(place, 'elsewhere', 'key'), pem(ec()), { mode: 0o440 });
    await symlink(join(place, 'elsewhere', 'key'), join(keys, 'key.pem'));
    expect(ring().keys()).toHaveLength(1);
  });

  test('is ignored under a hidden name and under a name that is none of a key', async () => {
    await put('a.pem', pem(ec()));
    await put('.b.pem', 'not a key', 0o644);
    await put('README', 'not a key', 0o644);
    await put('c.pem~', 'not a key', 0o644);
    expect(ring().keys()).toHaveLength(1);
  });
});

describe('a key is refused, with its file and what to do, when it', () => {
  const wrongType = 'has the wrong type; accepted are EC P-256 or P-384, Ed25519 and RSA of at least 2048 bits';
  const noKey = 'is not a private key in PEM or JWK form';
  const cases: readonly (readonly [what: string, content: () => string | Buffer, problem: string])[] = [
    ['is RSA with 1024 bits', () => pem(generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey), wrongType],
    ['is RSA for PSS alone', () => pem(generateKeyPairSync('rsa-pss', { modulusLength: 2048 }).privateKey), wrongType],
    ['is EC on P-521', () => pem(ec('P-521')), wrongType],
    ['is EC on the curve of Bitcoin', () => pem(ec('secp256k1')), wrongType],
    ['is for key agreement', () => pem(generateKeyPairSync('x25519').privateKey), wrongType],
    [
      'is DSA',
      () => pem(generateKeyPairSync('dsa', { modulusLength: 1024, divisorLength: 160 }).privateKey),
      wrongType,
    ],
    ['is public', () => createPublicKey(ec()).export({ type: 'spki', format: 'pem' }).toString(), noKey],
    ['is a public JWK', () => JSON.stringify(createPublicKey(ec()).export({ format: 'jwk' })), noKey],
    ['is a shared secret', () => JSON.stringify({ kty: 'oct', k: 'c2VjcmV0' }), noKey],
    [
      'is encrypted',
      () => ec().export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' }).toString(),
      noKey,
    ],
    ['is cut off', () => pem(ec()).slice(0, 100), noKey],
    ['is empty', () => '', noKey],
    ['is broken JSON', () => '{', noKey],
    ['is JSON of something else', () => '{"kty":"EC"}', noKey],
    ['is no text', () => Buffer.from([0xff, 0xfe, 0x00]), noKey],
    ['is too large', () => 'x'.repeat(70_000), 'is too large for a key'],
  ];
  test.each(cases)('%s', async (_what, content, problem) => {
    await put('good.pem', pem(ec()));
    const path = await put('zz.pem', content());
    expect(problemsOf()).toBe(`${path} ${problem}`);
  });

  test.each([
    ['others can read', 0o604],
    ['others can write', 0o602],
    ['everybody can do everything', 0o777],
  ])('is one that %s', async (_what, mode) => {
    const path = await put('a.pem', pem(ec()));
    await chmod(path, mode);
    expect(problemsOf()).toContain(`can be read by every user of this machine; fix: chmod 600 ${path}`);
  });

  test('is one that others can read behind a link', async () => {
    await put('good.pem', pem(ec()));
    const open = join(place, 'open.pem');
    await writeFile(open, pem(ec()));
    await chmod(open, 0o644);
    await symlink(open, join(keys, 'link.pem'));
    expect(problemsOf()).toContain('can be read by every user of this machine');
  });

  test('is no file at all', async () => {
    await mkdir(join(keys, 'dir.pem'), { recursive: true });
    execFileSync('mkfifo', [join(keys, 'fifo.pem')]);
    await symlink(join(place, 'nowhere'), join(keys, 'gone.pem'));
    await symlink('loop.pem', join(keys, 'loop.pem'));
    expect(problemsOf().split('\n')).toEqual(
      ['dir', 'fifo', 'gone', 'loop'].map((name) => `${join(keys, name)}.pem is not a regular file`),
    );
  });

  test('is one of several: all of them are reported', async () => {
    await put('a.pem', 'x');
    await put('b.pem', 'y');
    expect(problemsOf().split('\n')).toHaveLength(2);
  });

  test('never shows what is in its file', async () => {
    const text = pem(ec()).replace('-----END', '-----FIN');
    await put('a.pem', text);
    expect(problemsOf()).not.toContain(text.split('\n')[1]);
    expect(await readFile(join(keys, 'a.pem'), 'utf8')).toBe(text);
  });
});
