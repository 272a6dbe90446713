import { generateKeyPairSync, verify } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { signCompact } from '../../src/token/signature.ts';
import type { TokenKey } from '../../src/ports.ts';

const pairs = {
  ES256: () => generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  ES384: () => generateKeyPairSync('ec', { namedCurve: 'P-384' }),
  EdDSA: () => generateKeyPairSync('ed25519'),
  RS256: () => generateKeyPairSync('rsa', { modulusLength: 2048 }),
} as const;
const digests = { ES256: 'sha256', ES384: 'sha384', EdDSA: null, RS256: 'sha256' } as const;

describe.each(Object.keys(pairs) as (keyof typeof pairs)[])('a token signed with %s', (algorithm) => {
  // Every 256th number of a curve has a byte less, every second one a byte more in DER.
  test('has a signature in the form of JWS, whatever its numbers begin with', async () => {
    const key: TokenKey = { kid: 'k', algorithm, ...pairs[algorithm]() };
    const rounds = { ES256: 1500, ES384: 600, EdDSA: 20, RS256: 3 }[algorithm];
    for (let n = 0; n < rounds; n++) {
      const token = await signCompact(key, { n });
      const cut = token.lastIndexOf('.');
      const signature = Buffer.from(token.slice(cut + 1), 'base64url');
      const by = { key: key.publicKey, dsaEncoding: 'ieee-p1363' } as const;
      expect(verify(digests[algorithm], Buffer.from(token.slice(0, cut)), by, signature), token).toBe(true);
    }
  });
});
