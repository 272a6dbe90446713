/** Signatures of ID tokens, each checked once in a while: docker shows the same token again for every repository. */
import { hash } from 'node:crypto';
import type { EpochMs } from '../time.ts';
import { type IdToken, checkIdToken } from './id-token.ts';
import type { IssuerKeySet, IssuerKeys, KeysFound, Trust } from './issuer-keys.ts';
import type { IdTokenRefusal, SourceUnavailable } from './source.ts';

export type Checked =
  | { readonly ok: true; readonly token: IdToken }
  | { readonly ok: false; readonly why: IdTokenRefusal | SourceUnavailable };

export interface IdTokenChecks {
  /** Whether the token was checked by these keys within the last minute, and was good. */
  isProved(text: string, trust: Trust, now: EpochMs): boolean;
  /** Rejects for no token. Calls `inVain` when it looked for a signature and found none of these keys. */
  check(text: string, trust: Trust, now: EpochMs, inVain: () => void): Promise<Checked>;
}

/** For how long what was good is taken without another check. */
const rememberMs = 60_000;
/** Tokens remembered, good ones and others apart. */
const maxRemembered = 1000;

/** Nothing is kept of a token but its hash and, of a good one, what it says. */
export function createIdTokenChecks(keys: IssuerKeys): IdTokenChecks {
  const good = new Map<string, { readonly token: IdToken; readonly at: EpochMs }>();
  /** The keys by which a token was wrong: by the same ones it will be again. */
  const wrong = new Map<string, { readonly set: IssuerKeySet; readonly result: Checked }>();

  const nameOf = (text: string, { issuer, jwks, ca }: Trust): string =>
    hash('sha256', `${JSON.stringify({ issuer, jwks, ca })}\n${text}`, 'base64');
  const provedBy = (name: string, now: EpochMs): IdToken | undefined => {
    const known = good.get(name);
    return known !== undefined && Math.abs(now - known.at) < rememberMs ? known.token : undefined;
  };

  async function checkBy(text: string, trust: Trust, set: IssuerKeySet, name: string, inVain: () => void) {
    const known = wrong.get(name);
    if (known?.set === set) return known.result;
    const check = await checkIdToken(text, trust.issuer, set);
    if (check.ok) return check;
    inVain();
    if (check.reason === 'key_unknown') return undefined;
    const result: Checked = { ok: false, why: { reason: 'id_token_invalid', detail: check.detail } };
    remember(wrong, name, { set, result });
    return result;
  }

  return {
    isProved: (text, trust, now) => provedBy(nameOf(text, trust), now) !== undefined,
    async check(text, trust, now, inVain) {
      const name = nameOf(text, trust);
      const token = provedBy(name, now);
      if (token !== undefined) return { ok: true, token };
      const found = await keys.keysOf(trust);
      if (!found.ok) return unavailableBy(found);
      let result = await checkBy(text, trust, found.set, name, inVain);
      if (result === undefined) {
        const newer = await keys.newerThan(trust, found);
        if (newer?.ok === false) return unavailableBy(newer);
        if (newer !== undefined) result = await checkBy(text, trust, newer.set, name, inVain);
      }
      if (result?.ok) remember(good, name, { token: result.token, at: now });
      const detail = `none of the keys of ${JSON.stringify(trust.issuer).slice(0, 120)} can have signed it`;
      return result ?? { ok: false, why: { reason: 'key_unknown', detail } };
    },
  };
}

/** The oldest goes where there are too many. */
function remember<T>(all: Map<string, T>, name: string, one: T): void {
  all.delete(name);
  if (all.size >= maxRemembered) all.delete(all.keys().next().value ?? '');
  all.set(name, one);
}

function unavailableBy({ detail }: Exclude<KeysFound, { readonly ok: true }>): Checked {
  return { ok: false, why: { reason: 'source_unavailable', detail } };
}
