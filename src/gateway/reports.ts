/** What operators are told of the main listener. */
import type { OperatorLog } from '../adapters/log/log.ts';
import type { ListenerFront } from '../http/listener.ts';

/** In words, with what to do where the operator can do something. */
export function reportTo(log: OperatorLog): Pick<ListenerFront, 'onError' | 'onUnreadableForwarding'> & {
  readonly onIssuerFailure: (issuer: string, detail: string) => void;
  readonly onUpstreamLoginFailure: (upstream: string, detail: string) => void;
} {
  return {
    onIssuerFailure: (issuer, detail) =>
      log.warn('the keys of a token issuer cannot be read; known ones are used for a day', { issuer, detail }),
    onError: (error, { requestId }) =>
      log.error('a request failed inside the gateway', {
        requestId,
        detail: error instanceof Error ? (error.stack ?? error.message) : String(error),
      }),
    onUpstreamLoginFailure: (upstream, detail) =>
      log.warn('a registry does not let the gateway in; clients get 502 for it', {
        reason: 'upstream_login_failed',
        upstream,
        detail,
        fix: `look at upstreams.${upstream}.credentials and tokenHosts; what was refused is tried again every few minutes`,
      }),
    onUnreadableForwarding: (entry) =>
      log.warn('X-Forwarded-For of a trusted proxy has an entry that is no address; its clients count as one', {
        detail: entry.slice(0, 100),
        fix: 'let the proxy write the address of its client, for example 203.0.113.7 (said once)',
      }),
  };
}
