/**
 * A provider of OpenID Connect, by openid-client: authorization code with PKCE (S256), state and nonce; the `iss` of its
 * answers where it sends one (RFC 9207), and the signature of each ID token, although it comes over TLS.
 */
import * as client from 'openid-client';
import type { BegunLogin, LoginProvider, ProvidedRefused, ProviderUnavailable } from '../../ports.ts';
import type { Secret } from '../../secret.ts';
import { wordsOf } from '../failure.ts';
import { readBounded } from '../files/bounded-file.ts';
import { NoAnswer } from './bounded-fetch.ts';
import { createDescription, unavailable } from './description.ts';
import { type PersonClaims, isIncomplete, personOf } from './person.ts';

export interface ProviderSettings extends PersonClaims {
  readonly issuer: string;
  readonly clientId: string;
  /** The secret, or the file that it is in. */
  readonly clientSecret: Secret | string | undefined;
  readonly scopes: readonly string[];
  /** File of the authorities that its certificate must come from. */
  readonly ca: string | undefined;
  /** Where it sends browsers back to. */
  readonly redirectUri: string;
}

const maxSecretBytes = 4096;
const maxDetail = 300;

/** It is asked for its description at once, without anybody waiting for it. */
export function createOidcProvider(settings: ProviderSettings): LoginProvider {
  const { redirectUri, scopes } = settings;
  let secret: string | undefined;
  const description = createDescription(settings, () => secret);

  async function readSecret(): Promise<void> {
    if (typeof settings.clientSecret !== 'string') secret = settings.clientSecret?.reveal();
    else {
      const reading = await readBounded(settings.clientSecret, maxSecretBytes);
      if (!reading.ok) throw new NoAnswer(`the file with the client's secret cannot be used: ${reading.detail}`);
      secret = reading.text.replace(/\r?\n$/, '');
      if (!/^[^\u0000-\u001f]+$/.test(secret)) throw new NoAnswer("the file with the client's secret is not one line");
    }
  }

  async function ask(configuration: client.Configuration, back: URL, begun: Omit<BegunLogin, 'url'>) {
    const { state: expectedState, nonce: expectedNonce, verifier: pkceCodeVerifier } = begun;
    const checks = { expectedState, expectedNonce, pkceCodeVerifier, idTokenExpected: true };
    const tokens = await client.authorizationCodeGrant(configuration, back, checks);
    const claims = tokens.claims();
    if (claims === undefined) return forged('there is no ID token');
    // The library looks at it only where there are several audiences (OpenID Connect Core, section 3.1.3.7, 5).
    if (claims.azp !== undefined && claims.azp !== settings.clientId) return forged('it is for another client (azp)');
    const asks = isIncomplete(claims, settings) && configuration.serverMetadata().userinfo_endpoint !== undefined;
    const more = asks ? await client.fetchUserInfo(configuration, tokens.access_token, claims.sub) : {};
    return personOf(claims, more, settings);
  }

  return {
    async begin() {
      const described = await description.read();
      if (!described.ok) return described;
      const [state, nonce, verifier] = [client.randomState(), client.randomNonce(), client.randomPKCECodeVerifier()];
      const { href: url } = client.buildAuthorizationUrl(described.configuration, {
        redirect_uri: redirectUri,
        scope: scopes.join(' '),
        state,
        nonce,
        code_challenge: await client.calculatePKCECodeChallenge(verifier),
        code_challenge_method: 'S256',
      });
      return { ok: true, url, state, nonce, verifier };
    },

    async finish(query, begun) {
      const described = await description.read();
      if (!described.ok) return described;
      try {
        await readSecret();
        return await ask(described.configuration, new URL(`${redirectUri}?${query.toString()}`), begun);
      } catch (error) {
        const outcome = outcomeOf(error);
        return outcome.reason === 'unavailable' ? description.failed(outcome) : outcome;
      }
    },

    health: () => description.health(),
    close: description.close,
  };
}

/** What the library throws, in our words: never with what was sent or what came back, which holds codes and tokens. */
function outcomeOf(error: unknown): ProvidedRefused | ProviderUnavailable {
  if (error instanceof NoAnswer) return unavailable(error.message);
  if (error instanceof client.AuthorizationResponseError) return { ok: false, reason: 'declined', detail: said(error) };
  if (error instanceof client.ResponseBodyError) {
    const detail = `the provider answers ${said(error)}`;
    return error.error === 'invalid_grant' ? { ok: false, reason: 'answer_spent', detail } : unavailable(detail);
  }
  if (error instanceof client.WWWAuthenticateChallengeError)
    return unavailable('the provider does not take the client or what it gave it');
  if (error instanceof client.ClientError && error.code === 'OAUTH_RESPONSE_IS_NOT_CONFORM')
    return unavailable('the provider answers with an unexpected status');
  return forged(`${wordsOf(error)}${whatOf(error)}`);
}

function forged(detail: string): ProvidedRefused {
  return { ok: false, reason: 'answer_forged', detail };
}

/** RFC 6749, sections 4.1.2.1 and 5.2. */
function said(answer: client.AuthorizationResponseError | client.ResponseBodyError): string {
  const { error, error_description: description } = answer;
  return (description === undefined ? error : `${error}: ${description}`).slice(0, maxDetail);
}

/** Which claim or parameter was another one; of its value nothing. */
function whatOf(error: unknown): string {
  const causes: readonly unknown[] = error instanceof Error ? [error.cause, causeOf(error.cause)] : [];
  for (const cause of causes) {
    const found = wordsIn(cause, 'claim') ?? wordsIn(cause, 'attribute');
    if (found !== undefined) return ` (${found})`;
  }
  const [inner] = causes;
  const more = inner instanceof Error && inner.message !== wordsOf(error) ? `: ${inner.message}` : '';
  return more.slice(0, maxDetail);
}

function causeOf(value: unknown): unknown {
  return value instanceof Error ? value.cause : undefined;
}

function wordsIn(value: unknown, key: string): string | undefined {
  const found: unknown = typeof value === 'object' && value !== null ? Reflect.get(value, key) : undefined;
  return typeof found === 'string' ? found.slice(0, 60) : undefined;
}
