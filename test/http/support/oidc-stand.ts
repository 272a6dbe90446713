/** The page with a provider of logins beside it: both by themselves, over HTTP. */
import { createOidcProvider } from '../../../src/adapters/oidc/provider.ts';
import { oidcDoors } from '../../../src/http/web/oidc.ts';
import type { LoginOutcome } from '../../../src/identity/identify.ts';
import { createOidcSource } from '../../../src/identity/sources/oidc.ts';
import { createPendingLogins } from '../../../src/sealed/pending-login.ts';
import type { SessionStore } from '../../../src/ports.ts';
import { Secret } from '../../../src/secret.ts';
import { type Idp, clientId, clientSecret } from '../../support/idp.ts';
import { fileSources } from '../../support/identity.ts';
import { makeKey, ringOf } from '../../support/keys.ts';
import { type Seen, Visitor } from '../../support/visitor.ts';
import { visit } from '../../support/idp.ts';
import { type WebStand, standWeb } from './web-stand.ts';

export const publicUrl = 'https://registry.test';

export interface OidcStand extends WebStand {
  /** What became of each login by the browser. */
  readonly outcomes: LoginOutcome[];
}

export async function standOidc(
  idp: Idp,
  policy: string,
  more: { readonly label?: string; readonly publicUrl?: string } = {},
): Promise<OidcStand> {
  const at = more.publicUrl ?? publicUrl;
  const outcomes: LoginOutcome[] = [];
  const clock = (): number => stand.now;
  const policies = { current: () => stand.policy };
  const sessions: Pick<SessionStore, 'own' | 'owner' | 'open' | 'revoke' | 'endedBefore'> = {
    own: (...given) => stand.sessions.own(...given),
    owner: (...given) => stand.sessions.owner(...given),
    open: (...given) => stand.sessions.open(...given),
    revoke: (...given) => stand.sessions.revoke(...given),
    endedBefore: (...given) => stand.sessions.endedBefore(...given),
  };
  const provider = createOidcProvider({
    issuer: idp.issuer,
    ...{ clientId, clientSecret: new Secret(clientSecret), ca: undefined },
    ...{ name: 'preferred_username', groups: 'groups', scopes: ['openid'] },
    redirectUri: `${at}/ui/login/callback`,
  });
  const source = createOidcSource({ sessions, earlier: [], policies, clock, recheckMs: 86_400_000 });
  const doors = oidcDoors({
    ...{
      provider,
      sessions,
      front: { publicUrl: at, service: 'registry.test', clock, audit: { record: () => undefined } },
    },
    label: more.label ?? 'Example',
    pending: createPendingLogins(ringOf(await makeKey()), clock, [idp.issuer, clientId]),
    accept: (person) => source.accept(person),
    inTurn: (task) => task(),
    onLogin: (_method, outcome) => void outcomes.push(outcome),
  });
  const web = await standWeb({ policy, publicUrl: at, doors, identity: { sources: [...fileSources(), source] } });
  const stand: OidcStand = Object.assign(web, {
    outcomes,
    close: ((close) => async () => {
      provider.close();
      await close();
    })(web.close),
  });
  return stand;
}

/** The pending login: what the browser brings back from the provider, path and query. */
export async function goAndComeBack(visitor: Visitor, next = '/ui/'): Promise<string> {
  const away = await visitor.get(`/ui/login/oidc?next=${encodeURIComponent(next)}`);
  const back = await visit(away.headers.location ?? '');
  return back.pathname + back.search;
}

/** A whole login; the answer to the way back. */
export async function logInAt(visitor: Visitor, next?: string): Promise<Seen> {
  return visitor.get(await goAndComeBack(visitor, next));
}
