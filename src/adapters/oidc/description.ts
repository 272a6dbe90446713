/** What a provider says of itself (OpenID Connect Discovery 1.0): read when it is needed, kept for a while, looked at again. */
import * as client from 'openid-client';
import type { ProviderUnavailable } from '../../ports.ts';
import { field } from '../../distribution/json.ts';
import { wordsOf } from '../failure.ts';
import { NoAnswer, createBoundedFetch } from './bounded-fetch.ts';

export interface DescribedBy {
  readonly issuer: string;
  readonly clientId: string;
  readonly clientSecret: unknown;
  readonly ca: string | undefined;
}

export interface Described {
  readonly ok: true;
  readonly configuration: client.Configuration;
  /** Of `performance.now()`. */
  readonly at: number;
}

const maxDetail = 300;

/** `detail` for operators. */
export function unavailable(detail: string): ProviderUnavailable {
  return { ok: false, reason: 'unavailable', detail: detail.slice(0, maxDetail) };
}

/** Signatures by a key that is not the client's secret. */
const algorithms: ReadonlySet<string> = new Set(
  ['RS', 'PS', 'ES'].flatMap((kind) => ['256', '384', '512'].map((size) => kind + size)).concat('EdDSA', 'Ed25519'),
);

/** Seconds: of one request, and by which clocks may differ. */
const withinSeconds = 4;
const leewaySeconds = 60;
/** After that it is read again; what was read is used for so long when that fails. */
const freshMs = 3_600_000;
const staleMs = 24 * freshMs;
/** Whoever comes meanwhile is told the same. */
const restMs = 1000;
const lookMs = 60_000;

/** `secret`: as it is now. */
export function createDescription(settings: DescribedBy, secret: () => string | undefined) {
  let known: Described | undefined;
  let running: Promise<Described | ProviderUnavailable> | undefined;
  let last: { readonly at: number; readonly detail?: string } = { at: -Infinity };

  const age = (at: number): number => performance.now() - at;

  async function fetchIt(): Promise<Described | ProviderUnavailable> {
    try {
      known = { ok: true, configuration: await discover(settings, secret), at: performance.now() };
      last = { at: performance.now() };
      return known;
    } catch (error) {
      const detail = error instanceof NoAnswer ? error.message : `${settings.issuer}: ${wordsOf(error)}`;
      last = { at: performance.now(), detail };
      return known !== undefined && age(known.at) < staleMs ? known : unavailable(detail);
    } finally {
      running = undefined;
    }
  }

  async function read(): Promise<Described | ProviderUnavailable> {
    const isResting = last.detail !== undefined && age(last.at) < restMs;
    if (known !== undefined && age(known.at) < (isResting ? staleMs : freshMs)) return known;
    if (isResting && running === undefined) return unavailable(last.detail ?? '');
    return (running ??= fetchIt());
  }

  const look = (): void => {
    if (last.detail === undefined && known !== undefined && age(known.at) < freshMs) return;
    running ??= fetchIt();
  };
  const timer = setInterval(look, lookMs).unref();
  look();

  return {
    read,
    /** A call that came after it failed. */
    failed(outcome: ProviderUnavailable): ProviderUnavailable {
      last = { at: performance.now(), detail: outcome.detail };
      return outcome;
    },
    health() {
      if (last.detail !== undefined) return { ok: false, detail: last.detail };
      return { ok: true, detail: known === undefined ? 'was not asked yet' : settings.issuer };
    },
    close: () => clearInterval(timer),
  };
}

async function discover(
  { issuer, clientId, clientSecret, ca }: DescribedBy,
  secret: () => string | undefined,
): Promise<client.Configuration> {
  const server = new URL(issuer);
  const isPlain = server.protocol === 'http:';
  const fetch = createBoundedFetch(ca);
  const options = { timeout: withinSeconds, [client.customFetch]: fetch };
  const execute = isPlain ? { execute: [client.allowInsecureRequests] } : {};
  const found = await client
    .discovery(server, clientId, undefined, undefined, { ...options, ...execute })
    .catch((error: unknown) => {
      throw otherIssuer(issuer, field(error, 'cause', 'body', 'issuer')) ?? error;
    });
  const metadata = found.serverMetadata();
  // The library takes a provider that speaks for many tenants (Entra's `common`), and one without its slash at the end.
  const other = otherIssuer(issuer, metadata.issuer);
  if (other !== undefined) throw other;
  const { id_token_signing_alg_values_supported: named = ['RS256'] } = metadata;
  const described = {
    ...(JSON.parse(JSON.stringify(metadata)) as client.ServerMetadata),
    id_token_signing_alg_values_supported: named.filter((name) => algorithms.has(name)),
  };
  const auth = authenticationBy(metadata, clientSecret !== undefined, secret);
  const leeway = { [client.clockTolerance]: leewaySeconds };
  const configuration = new client.Configuration(described, clientId, leeway, auth);
  configuration.timeout = withinSeconds;
  configuration[client.customFetch] = fetch;
  if (isPlain) client.allowInsecureRequests(configuration);
  client.enableNonRepudiationChecks(configuration);
  // Throws where there is no usable place to send browsers to.
  client.buildAuthorizationUrl(configuration, {});
  return configuration;
}

function otherIssuer(issuer: string, named: unknown): NoAnswer | undefined {
  if (typeof named !== 'string' || named === issuer) return undefined;
  const cure = /[{]|%7b/i.test(named) ? 'it speaks for many tenants; name one as issuer' : 'write that as issuer';
  return new NoAnswer(`${issuer} calls itself ${named.slice(0, 200)}: ${cure}`);
}

/** RFC 6749, section 2.3.1, with the secret as it is at each call. */
function authenticationBy(
  { token_endpoint_auth_methods_supported: methods = ['client_secret_basic'] }: client.ServerMetadata,
  hasSecret: boolean,
  secret: () => string | undefined,
): client.ClientAuth {
  if (!hasSecret) return client.None();
  const isPosted = !methods.includes('client_secret_basic') && methods.includes('client_secret_post');
  const by = isPosted ? client.ClientSecretPost : client.ClientSecretBasic;
  return (...given) => by(secret() ?? '')(...given);
}
