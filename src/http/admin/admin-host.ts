/** By which names the admin listener may be called. */
import { isIPv4, isIPv6 } from 'node:net';

/** Names that no public name server answers for: of this machine, of a local network, of a cluster. */
const privateZones = ['localhost', 'local', 'internal', 'svc', 'cluster.local'];

/**
 * Whether a `Host` names this listener as somebody near it would. A page in a browser can point a public name of its own
 * at this address and read the answers (DNS rebinding), but it cannot choose the `Host`: addresses, names without a dot
 * (services of Compose and Kubernetes), names of private zones and `own` are answered, any other is not. Without `Host`
 * (HTTP/1.0) no browser asks.
 */
export function isAdminHost(host: string | undefined, own: string): boolean {
  if (host === undefined) return true;
  const [, bracketed, plain = ''] = /^(?:\[([^\]]*)\]|([^:[\]]*))(?::\d{1,5})?$/.exec(host) ?? [];
  if (bracketed !== undefined) return isIPv6(bracketed);
  const name = plain.toLowerCase().replace(/\.$/, '');
  if (!/^[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?$/.test(name)) return false;
  if (!name.includes('.') || isIPv4(name)) return true;
  return name === own.toLowerCase() || privateZones.some((zone) => name.endsWith(`.${zone}`));
}
