/** What pages and endpoints work with that are about what is somebody's own: sessions, access tokens, terminals to let in. */
import type { Config } from '../config/load.ts';
import type { MyParts } from '../http/web/my-pages.tsx';
import { canLogInAt } from '../http/web/visit.ts';
import type { Stores } from './stores.ts';

/** `terminals`: absent where there is no page to let them in. */
export function openOwn(
  { publicUrl, tokens, page, logins }: Pick<Config, 'publicUrl' | 'tokens' | 'page' | 'logins'>,
  { sessions, devices, limiter }: Pick<Stores, 'sessions' | 'devices' | 'limiter'>,
  parts: Pick<MyParts, 'identity' | 'limits' | 'audit' | 'clock'>,
): { readonly own: MyParts; readonly terminals: MyParts | undefined } {
  const { service, personalMaxTtlSeconds } = tokens;
  const { host } = new URL(publicUrl);
  const recheckSeconds = logins.oidc && Math.round(logins.oidc.recheckMs / 1000);
  const own = { ...parts, sessions, devices, limiter, service, personalMaxTtlSeconds, recheckSeconds, host };
  return { own, terminals: page.enabled && canLogInAt(publicUrl) ? own : undefined };
}
