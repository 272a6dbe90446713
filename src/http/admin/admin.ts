/** The admin listener: liveness, readiness, metrics. Meant for a private address; never shows a secret. */
import { type Server, createServer } from 'node:http';
import { type AdminApiParts, createAdminApi } from './admin-api.ts';
import { notFound } from '../front/respond.ts';
import { recordUnread } from '../front/unread.ts';
import { isIPv4, isIPv6 } from 'node:net';

/**
 * One line of `/readyz?verbose`. `failed` takes this replica out of service; `degraded` does not: what all replicas share
 * would take all of them away, and clients would see the balancer's error page instead of our answers.
 */
export interface ReadinessCheck {
  readonly name: string;
  readonly state: 'ok' | 'degraded' | 'failed';
  readonly detail?: string | undefined;
}

export interface AdminParts {
  readonly readiness: () => readonly ReadinessCheck[];
  /** The Prometheus text format. */
  readonly metrics: () => string;
  readonly api: AdminApiParts;
  /** Of this machine. */
  readonly hostName: string;
  /** Reports what should not happen: a bug, broken I/O. */
  readonly onError: (error: unknown) => void;
}

/** Not listening yet. A request has ten seconds to arrive. */
export function createAdminListener({ readiness, metrics, api, hostName, onError }: AdminParts): Server {
  const handleApi = createAdminApi(api, onError);
  const server = createServer({ requestTimeout: 10_000, headersTimeout: 10_000 }, (request, response) => {
    const [path = '', query = ''] = (request.url ?? '').split('?', 2);
    const answer = (status: number, type: string, body: string): void => {
      response.writeHead(status, {
        'Content-Type': type,
        'Content-Length': Buffer.byteLength(body),
        'Cache-Control': 'no-store',
      });
      response.end(request.method === 'HEAD' ? undefined : body);
    };
    const { host } = request.headers;
    if (!isAdminHost(host, hostName)) {
      const detail = `the admin listener was called "${host?.slice(0, 100)}"`;
      const unread = { reason: 'host_foreign', status: 421, request, detail };
      recordUnread({ audit: api.audit, trustedProxies: [] }, request.socket, unread);
      return answer(421, 'text/plain', 'call the admin listener by an address or a local name, such as 127.0.0.1\n');
    }
    if (path.startsWith('/api/')) {
      handleApi(request, response).catch((error: unknown) => {
        onError(error);
        response.destroy();
      });
      return;
    }
    if (request.method !== 'GET' && request.method !== 'HEAD') return answer(405, 'text/plain', 'use GET\n');
    switch (path) {
      case '/livez':
        return answer(200, 'text/plain', 'ok\n');
      case '/readyz': {
        const checks = readiness();
        const parameters = new URLSearchParams(query);
        const has = (state: ReadinessCheck['state']): boolean => checks.some((check) => check.state === state);
        const summary = has('failed') ? 'not ready' : has('degraded') ? 'degraded' : 'ready';
        const isServing = summary === 'ready' || (summary === 'degraded' && !parameters.has('strict'));
        const lines = parameters.has('verbose') || summary !== 'ready' ? checks.map(formatCheck) : [];
        return answer(isServing ? 200 : 503, 'text/plain', `${lines.join('')}${summary}\n`);
      }
      case '/metrics':
        return answer(200, 'text/plain; version=0.0.4; charset=utf-8', metrics());
      default:
        return answer(404, 'application/json', notFound.body);
    }
  });
  server.on('clientError', (_error, socket) => socket.destroy());
  return server;
}

function formatCheck({ name, state, detail }: ReadinessCheck): string {
  const mark = { ok: '+', degraded: '~', failed: '-' }[state];
  return `[${mark}] ${name} ${state}${detail === undefined ? '' : `: ${detail}`}\n`;
}

/** Names that no public name server answers for: of this machine, of a local network, of a cluster. */
const privateZones = ['localhost', 'local', 'internal', 'svc', 'cluster.local'];

/**
 * Whether a `Host` names this listener as somebody near it would. A page in a browser can point a public name of its own
 * at this address and read the answers (DNS rebinding), but it cannot choose the `Host`: addresses, names without a dot
 * (services of Compose and Kubernetes), names of private zones and `own` are answered, any other is not. Without `Host`
 * (HTTP/1.0) no browser asks.
 */
function isAdminHost(host: string | undefined, own: string): boolean {
  if (host === undefined) return true;
  const [, bracketed, plain = ''] = /^(?:\[([^\]]*)\]|([^:[\]]*))(?::\d{1,5})?$/.exec(host) ?? [];
  if (bracketed !== undefined) return isIPv6(bracketed);
  const name = plain.toLowerCase().replace(/\.$/, '');
  if (!/^[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?$/.test(name)) return false;
  if (!name.includes('.') || isIPv4(name)) return true;
  return name === own.toLowerCase() || privateZones.some((zone) => name.endsWith(`.${zone}`));
}
