import { createHmac, sign as signBytes } from 'node:crypto';
import { beforeAll, describe, expect, test } from 'vitest';
import fc from 'fast-check';
import { SignJWT, decodeJwt, decodeProtectedHeader, exportJWK, exportSPKI, jwtVerify } from 'jose';
import type { Access } from '../../src/distribution/access.ts';
import { type AccessTokens, createAccessTokens } from '../../src/token/access-token.ts';
import type { KeyRing, TokenKey } from '../../src/ports.ts';
import { checkpointType } from '../../src/audit/chain.ts';
import { checkIdToken } from '../../src/identity/id-token.ts';
import { signCompact } from '../../src/token/signature.ts';
import { makeKey, ringOf } from '../support/keys.ts';

const issuer = 'https://registry.example.com';
const service = 'registry.example.com';
const now = 1_800_000_000;
const ttl = 900;
const access: readonly Access[] = [{ type: 'repository', name: 'team/app', actions: ['pull', 'push'] }];
const good = {
  iss: issuer,
  sub: 'dana',
  aud: service,
  iat: now,
  nbf: now,
  exp: now + ttl,
  jti: 'x'.repeat(20),
  access,
};

let key: TokenKey;
let other: TokenKey;
let tokens: AccessTokens;
beforeAll(async () => {
  [key, other] = await Promise.all([makeKey(), makeKey()]);
  tokens = tokensWith(ringOf(key));
});

function tokensWith(keys: KeyRing, change: Partial<{ issuer: string; service: string }> = {}): AccessTokens {
  return createAccessTokens({ keys, issuer, service, ttlSeconds: ttl, ...change });
}

/** A correctly signed token of any header and any claims: what a broken or hostile holder of our key could make. */
function forge(claims: object, header: object = {}, by: TokenKey = key): string {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const input = `${part({ alg: by.algorithm, typ: 'JWT', kid: by.kid, ...header })}.${part(claims)}`;
  const signature = signBytes('sha256', Buffer.from(input), { key: by.privateKey, dsaEncoding: 'ieee-p1363' });
  return `${input}.${signature.toString('base64url')}`;
}

async function reasonOf(token: string, at = now, by = tokens): Promise<string> {
  const verified = await by.verify(token, at);
  return verified.ok ? 'accepted' : verified.reason;
}

test('a checkpoint of the audit files is no token, whatever it says', async () => {
  const checkpoint = await signCompact(key, { instance: 'gate', seq: 9, hash: 'x', time: 'now' }, checkpointType);
  expect(await reasonOf(checkpoint)).toBe('token_invalid');
  expect(await reasonOf(await signCompact(key, good))).toBe('accepted');
  const dressed = await signCompact(key, good, checkpointType);
  expect(await reasonOf(dressed)).toBe('token_invalid');
  const issuer = await checkIdToken(dressed, good.iss, {
    keys: [{ ...(await exportJWK(key.publicKey)), kid: key.kid, alg: key.algorithm }],
    readAt: 0,
  });
  expect(issuer).toMatchObject({ ok: false, reason: 'invalid' });
});

describe('a signed token', () => {
  test('carries exactly iss, sub, aud, exp, nbf, iat, jti and access', async () => {
    const claims = decodeJwt(await tokens.sign('dana', access, now));
    expect(Object.keys(claims).sort()).toEqual(['access', 'aud', 'exp', 'iat', 'iss', 'jti', 'nbf', 'sub']);
    expect(claims).toMatchObject({ iss: issuer, sub: 'dana', aud: service, iat: now, exp: now + ttl, access });
    expect(claims.nbf).toBeLessThanOrEqual(now);
  });

  test('names its audience as text: older registries read no list', async () => {
    expect(decodeJwt(await tokens.sign('dana', [], now)).aud).toBeTypeOf('string');
  });

  test('carries the session it belongs to, when there is one', async () => {
    const token = await tokens.sign('dana', [], now, { sessionId: 'session-1' });
    expect(decodeJwt(token)).toMatchObject({ sid: 'session-1' });
    expect(await tokens.verify(token, now)).toMatchObject({ ok: true, claims: { sessionId: 'session-1' } });
  });

  test('says nobody’s name for anonymous, and an empty list for no access', async () => {
    const token = await tokens.sign('', [], now);
    expect(decodeJwt(token)).toMatchObject({ sub: '', access: [] });
    expect(await tokens.verify(token, now)).toMatchObject({ ok: true, claims: { account: '', access: [] } });
  });

  test('never has the id of another', async () => {
    const ids = await Promise.all(
      Array.from({ length: 50 }, async () => decodeJwt(await tokens.sign('dana', [], now)).jti),
    );
    expect(new Set(ids).size).toBe(50);
  });

  test.each(['ES256', 'ES384', 'EdDSA', 'RS256'] as const)(
    'by a key for %s names type, algorithm and key, and is accepted',
    async (algorithm) => {
      const signer = await makeKey(algorithm);
      const own = tokensWith(ringOf(key, signer));
      const token = await own.sign('dana', access, now);
      expect(decodeProtectedHeader(token)).toEqual({ alg: algorithm, typ: 'JWT', kid: signer.kid });
      expect(await own.verify(token, now)).toEqual({
        ok: true,
        claims: {
          account: 'dana',
          access,
          tokenId: decodeJwt(token).jti,
          sessionId: undefined,
          issuedAt: now,
          expiresAt: now + ttl,
        },
      });
    },
  );

  test.each(['ES256', 'ES384', 'EdDSA', 'RS256'] as const)(
    'by a key for %s is one to any program that verifies JWTs, whatever it carries',
    async (algorithm) => {
      const signer = await makeKey(algorithm);
      const own = tokensWith(ringOf(signer));
      const names: readonly Access[] = [{ type: 'repository', name: 'tëam/ápp/\u2028"\\', actions: ['pull', '*'] }];
      const many = Array.from({ length: 50 }, () => own.sign('dana', names, now, { sessionId: 'session-1' }));
      for (const token of await Promise.all(many)) {
        const { payload } = await jwtVerify(token, signer.publicKey, {
          issuer,
          audience: service,
          subject: 'dana',
          typ: 'JWT',
          algorithms: [algorithm],
          currentDate: new Date(now * 1000),
        });
        expect(payload).toMatchObject({ access: names, sid: 'session-1', nbf: now - 10, exp: now + ttl });
        expect(token).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+$/);
      }
    },
  );

  test('for 300 names of 60 characters is accepted', async () => {
    const widest = Array.from({ length: 300 }, (_, index): Access => ({
      type: 'repository',
      name: `${index}/`.padEnd(60, 'a'),
      actions: ['pull', 'push'],
    }));
    expect(await reasonOf(await tokens.sign('a'.repeat(128), widest, now))).toBe('accepted');
  });
});

describe('the time of a token', () => {
  const cases: readonly (readonly [promise: string, offset: number, outcome: string])[] = [
    ['it is good at once', 0, 'accepted'],
    ['it is good for a clock that is a minute behind', -60, 'accepted'],
    ['it is not yet good for one that is further behind', -71, 'token_invalid'],
    ['it is good up to its end', ttl, 'accepted'],
    ['it is good for a clock that is almost a minute ahead', ttl + 59, 'accepted'],
    ['it has expired after that', ttl + 60, 'token_expired'],
    ['it stays expired for ever', 10 * 365 * 86_400, 'token_expired'],
  ];
  test.each(cases)('%s', async (_promise, offset, outcome) => {
    const token = await tokens.sign('dana', access, now);
    expect(await reasonOf(token, now + offset)).toBe(outcome);
    // The second look is at a remembered signature.
    expect(await reasonOf(token, now)).toBe('accepted');
    expect(await reasonOf(token, now + offset)).toBe(outcome);
  });

  test('an expired token still says whose it was: an upload that began may finish', async () => {
    const token = await tokens.sign('dana', access, now);
    expect(await tokens.verify(token, now + 3600)).toMatchObject({
      ok: false,
      reason: 'token_expired',
      claims: { account: 'dana', access },
    });
  });
});

describe('a token is refused when it', () => {
  const text = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const forged: readonly (readonly [what: string, make: () => string | Promise<string>])[] = [
    ['has the algorithm none', () => `${text({ alg: 'none', typ: 'JWT', kid: key.kid })}.${text(good)}.`],
    [
      'has the algorithm none and any signature',
      () => `${text({ alg: 'none', typ: 'JWT', kid: key.kid })}.${text(good)}.AAAA`,
    ],
    ['writes none in capitals', () => `${text({ alg: 'NONE', typ: 'JWT', kid: key.kid })}.${text(good)}.AAAA`],
    [
      'takes the public key for a shared secret (HS256)',
      async () => {
        const input = `${text({ alg: 'HS256', typ: 'JWT', kid: key.kid })}.${text(good)}`;
        const secret = await exportSPKI(key.publicKey);
        return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`;
      },
    ],
    [
      'takes the public key’s bytes for a shared secret',
      () => {
        const input = `${text({ alg: 'HS256', typ: 'JWT', kid: key.kid })}.${text(good)}`;
        const secret = key.publicKey.export({ type: 'spki', format: 'der' });
        return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`;
      },
    ],
    ['names another algorithm than its key', () => forge(good, { alg: 'ES384' })],
    ['is signed by a key that is not ours', () => forge(good, {}, other)],
    ['is signed by another key under our key’s name', () => forge(good, { kid: key.kid }, other)],
    ['names no key', () => forge(good, { kid: undefined })],
    ['names a key by a number', () => forge(good, { kid: 7 })],
    [
      'brings its own key under our key’s name (CVE-2025-24976)',
      async () => forge(good, { kid: key.kid, jwk: await exportJWK(other.publicKey) }, other),
    ],
    [
      'brings its own key under its own name',
      async () => forge(good, { jwk: await exportJWK(other.publicKey) }, other),
    ],
    ['says where to fetch its key', () => forge(good, { kid: key.kid, jku: 'http://127.0.0.1:1/jwks.json' }, other)],
    ['brings a certificate chain', () => forge(good, { kid: key.kid, x5c: ['MIIB'] }, other)],
    ['asks for an extension that must be understood', () => forge(good, { crit: ['exp'], exp: 1 })],
    ['has an unencoded payload (RFC 7797)', () => forge(good, { b64: false, crit: ['b64'] })],
    ['is of another type', () => forge(good, { typ: 'at+jwt' })],
    ['names no type', () => forge(good, { typ: undefined })],
    ['comes from another issuer', () => forge({ ...good, iss: 'https://evil.example.com' })],
    ['comes from an issuer that only begins like ours', () => forge({ ...good, iss: `${issuer}/` })],
    ['names no issuer', () => forge({ ...good, iss: undefined })],
    ['is meant for another service', () => forge({ ...good, aud: 'other.example.com' })],
    ['is meant for several services, ours among them', () => forge({ ...good, aud: [service, 'other.example.com'] })],
    ['is meant for a list of ours alone', () => forge({ ...good, aud: [service] })],
    ['is meant for nobody', () => forge({ ...good, aud: undefined })],
    ['never expires', () => forge({ ...good, exp: undefined })],
    ['expires beyond all time', () => forge({ ...good, exp: 1e308 })],
    ['expires at no whole second', () => forge({ ...good, exp: now + 0.5 })],
    ['expires at a text', () => forge({ ...good, exp: String(now + ttl) })],
    ['expires before 1970', () => forge({ ...good, exp: -1 })],
    ['does not say since when it holds', () => forge({ ...good, nbf: undefined })],
    ['does not say when it was issued', () => forge({ ...good, iat: undefined })],
    ['was issued in the future', () => forge({ ...good, iat: now + 61 })],
    ['has a number for a subject', () => forge({ ...good, sub: 42 })],
    ['has a list for a subject', () => forge({ ...good, sub: ['dana'] })],
    ['has no subject', () => forge({ ...good, sub: undefined })],
    ['has a subject that is no account name', () => forge({ ...good, sub: '../dana' })],
    ['has a subject that JavaScript knows', () => forge({ ...good, sub: '__proto__' })],
    ['has no id', () => forge({ ...good, jti: undefined })],
    ['has no access', () => forge({ ...good, access: undefined })],
    ['has one access instead of a list', () => forge({ ...good, access: access[0] })],
    [
      'has an action that does not exist',
      () => forge({ ...good, access: [{ type: 'repository', name: 'a', actions: ['admin'] }] }),
    ],
    ['has a type that does not exist', () => forge({ ...good, access: [{ type: 'plugin', name: 'a', actions: [] }] })],
    ['has actions as text', () => forge({ ...good, access: [{ type: 'repository', name: 'a', actions: 'pull' }] })],
    [
      'has more access than any request can ask for',
      () => forge({ ...good, access: Array.from({ length: 1000 }, () => access[0]) }),
    ],
    ['is empty', () => ''],
    ['is one word', () => 'token'],
    ['has two parts', async () => (await tokens.sign('dana', access, now)).split('.').slice(0, 2).join('.')],
    ['has four parts', async () => `${await tokens.sign('dana', access, now)}.x`],
    ['has five parts', () => 'a.b.c.d.e'],
    ['is padded', async () => `${await tokens.sign('dana', access, now)}==`],
    ['ends with a line feed', async () => `${await tokens.sign('dana', access, now)}\n`],
    ['begins with a space', async () => ` ${await tokens.sign('dana', access, now)}`],
    ['is no JSON inside', () => `${Buffer.from('{').toString('base64url')}.${text(good)}.AAAA`],
    ['is ten thousand letters', () => 'a'.repeat(10_000)],
    ['is ten thousand letters in three parts', () => `${'a'.repeat(3333)}.${'a'.repeat(3333)}.${'a'.repeat(3333)}`],
    ['is longer than any that we sign', () => forge({ ...good, sid: 'x'.repeat(40_000) })],
  ];
  test.each(forged)('%s', async (_what, make) => {
    expect(await reasonOf(await make())).toBe('token_invalid');
  });

  test('is any of the above though its neighbour without the fault is accepted', async () => {
    expect(await reasonOf(forge(good))).toBe('accepted');
    expect(await reasonOf(forge({ ...good, sid: 'x' }))).toBe('accepted');
  });

  test('was made for another gateway, even one that shares the key', async () => {
    const token = await tokens.sign('dana', access, now);
    expect(await reasonOf(token, now, tokensWith(ringOf(key), { issuer: 'https://b.example.com' }))).toBe(
      'token_invalid',
    );
    expect(await reasonOf(token, now, tokensWith(ringOf(key), { service: 'b.example.com' }))).toBe('token_invalid');
  });

  test('has a character changed, anywhere', async () => {
    const token = await tokens.sign('dana', access, now);
    const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=';
    await fc.assert(
      fc.asyncProperty(fc.nat(token.length - 1), fc.constantFrom(...letters), async (index, letter) => {
        fc.pre(token[index] !== letter);
        expect(await reasonOf(token.slice(0, index) + letter + token.slice(index + 1))).toBe('token_invalid');
      }),
      { numRuns: 200 },
    );
  });

  test('is spelled otherwise in the bits that base64url leaves unused: one token has one spelling', async () => {
    const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    const token = await tokens.sign('dana', access, now);
    const last = letters.indexOf(token.at(-1) ?? '');
    for (let bits = 1; bits < 16; bits++) {
      expect(await reasonOf(token.slice(0, -1) + (letters[last ^ bits] ?? ''))).toBe('token_invalid');
    }
  });

  test('is cut off, anywhere', async () => {
    const token = await tokens.sign('dana', access, now);
    for (let length = 0; length < token.length; length += 7)
      expect(await reasonOf(token.slice(0, length))).toBe('token_invalid');
    expect(await reasonOf(token.slice(0, -1))).toBe('token_invalid');
  });

  test('is made of any text: nothing makes the verifier throw', async () => {
    const part = fc.oneof(
      fc.string({ maxLength: 30 }),
      fc.json({ maxDepth: 2 }).map((json) => Buffer.from(json).toString('base64url')),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(part, { maxLength: 5 }), async (parts) => {
        expect(await reasonOf(parts.join('.'))).toBe('token_invalid');
      }),
      { numRuns: 200 },
    );
    await fc.assert(
      fc.asyncProperty(fc.json({ maxDepth: 2 }), fc.json({ maxDepth: 2 }), async (header, claims) => {
        const parsed: unknown = JSON.parse(header);
        const asHeader = typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed) ? parsed : {};
        expect(await reasonOf(forge({ claims }, asHeader))).toBe('token_invalid');
      }),
      { numRuns: 100 },
    );
  });
});

describe('a change of keys', () => {
  test('keeps tokens of the older key while it is in the ring', async () => {
    const ring = ringOf(key);
    const own = tokensWith(ring);
    const token = await own.sign('dana', access, now);
    ring.set(key, other);
    expect(await reasonOf(token, now, own)).toBe('accepted');
    expect(decodeProtectedHeader(await own.sign('dana', access, now)).kid).toBe(other.kid);
  });

  test('ends tokens of a removed key, also those that were seen before', async () => {
    const ring = ringOf(key, other);
    const own = tokensWith(ring);
    const token = await own.sign('dana', access, now);
    expect(await reasonOf(token, now, own)).toBe('accepted');
    ring.set(key);
    expect(await reasonOf(token, now, own)).toBe('token_invalid');
    ring.set(key, other);
    expect(await reasonOf(token, now, own)).toBe('accepted');
  });

  test('is not taken over by a new key that borrows the name of the old one', async () => {
    const ring = ringOf(key);
    const own = tokensWith(ring);
    const token = await own.sign('dana', access, now);
    ring.set({ ...other, kid: key.kid });
    expect(await reasonOf(token, now, own)).toBe('token_invalid');
  });
});

test('another program that knows the protocol signs tokens that are accepted', async () => {
  const token = await new SignJWT({ access })
    .setProtectedHeader({ alg: 'ES256', typ: 'JWT', kid: key.kid })
    .setIssuer(issuer)
    .setSubject('dana')
    .setAudience(service)
    .setIssuedAt(now)
    .setNotBefore(now)
    .setExpirationTime(now + 60)
    .setJti('0123456789abcdef')
    .sign(key.privateKey);
  expect(await reasonOf(token)).toBe('accepted');
});
