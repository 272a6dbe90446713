/** Whether the registry, which asks nobody who they are, can be reached past the gateway. */
import type { UpstreamTerms } from '../config/upstreams.ts';
import { formatHostPort, isEveryInterface, isLoopback } from '../network/host.ts';
import { type Check, type Outcome, fail, ok, skip, warn, worst } from './check.ts';
import { type Context, isFailure } from './context.ts';
import { realmOf } from './front.ts';
import { isOfRegistry, ofEach } from './registry.ts';
import { isPublicAddress } from './public-address.ts';

/** Milliseconds: no answer is a good answer here. */
const connectMs = 2000;

export const exposureCheck: Check = {
  number: 13,
  name: 'registry past the gateway',
  async run(context) {
    if (context.config.enforce === 'token')
      return skip('enforce: token: clients reach the registry, which verifies tokens');
    const each = await ofEach(context, (upstream) => judgeExposure(context, upstream));
    const elsewhere = await Promise.all(context.from.map((url) => openAt(context, url)));
    return worst([each, ...elsewhere]);
  },
};

const fixes = {
  bind: 'bind the registry to 127.0.0.1 (docker: -p 127.0.0.1:5000:5000), or let a firewall or NetworkPolicy pass only the gateway',
  move: 'move it to a private address, or let a firewall or NetworkPolicy pass only the gateway',
} as const;

async function judgeExposure(context: Context, upstream: UpstreamTerms): Promise<Outcome> {
  const { url } = upstream;
  const answer = context.mayReach(url) ? await context.registry(upstream) : undefined;
  if (answer !== undefined && !isFailure(answer) && answer.status === 401) return ok(`${url} asks for a login itself`);
  const target = new URL(url);
  const host = target.hostname.replace(/^\[|\]$/g, '');
  const port = portOf(target);
  const addresses = isLoopback(host) ? [host] : context.mayReach(url) ? await context.web.resolve(host) : [];
  const known = isFailure(addresses) ? [] : addresses;
  const bound = await boundHere(context, known, port);
  if (bound !== undefined)
    return fail(
      `the registry on this machine listens on ${bound}: whoever reaches that writes without a login`,
      fixes.bind,
    );
  const open = known.find(isPublicAddress);
  if (open !== undefined && answer !== undefined && !isFailure(answer))
    return fail(`the registry has the public address ${open}, and asks nobody for a login`, fixes.move);
  return throughName(context, target);
}

/** Where a registry of this machine listens for others than this machine. */
async function boundHere(
  { machine }: Context,
  addresses: readonly string[],
  port: number,
): Promise<string | undefined> {
  const own = machine.addresses();
  if (!addresses.some((address) => isLoopback(address) || own.includes(address))) return undefined;
  const found = (await machine.listeners())?.find((each) => each.port === port && !isLoopback(each.host));
  if (found === undefined) return undefined;
  return isEveryInterface(found.host) ? `port ${port} of every interface` : formatHostPort(found.host, port);
}

/** The host that clients know, on the ports where registries are. */
async function throughName(context: Context, registry: URL): Promise<Outcome> {
  const front = new URL(context.config.publicUrl);
  const { hostname } = front;
  const port = portOf(registry);
  const ports = [...new Set([port, 5000])].filter((each) => each !== portOf(front));
  const here = `http://${isLoopback(hostname) ? 'ADDRESS-OF-THIS-MACHINE' : hostname}:${port}`;
  const isElsewhere = !isLoopback(registry.hostname);
  const asked = [...new Set([...(isElsewhere ? [registry.origin] : []), here])].map((at) => `curl -i ${at}/v2/`);
  const proof = `${asked.join(' and ')} from another machine: 200 would be open`;
  if (isLoopback(hostname))
    return ok(
      isElsewhere ? `who else reaches it, others tell: ${proof}` : `only this machine reaches it; proof: ${proof}`,
    );
  if (!context.mayReach(`http://${hostname}`)) return skip(`--offline: ${hostname} is not asked`);
  const tried = await Promise.all(ports.map((each) => openAt(context, `http://${hostname}:${each}`)));
  const open = tried.find(({ state }) => state !== 'ok');
  return open ?? ok(`nothing answers for it at ${hostname}; proof: ${proof}`);
}

function portOf({ port, protocol }: URL): number {
  return Number(port === '' ? (protocol === 'https:' ? 443 : 80) : port);
}

async function openAt(context: Context, url: string): Promise<Outcome> {
  if (!context.mayReach(url)) return skip(`--offline: ${url} is not asked`);
  const answer = await context.web.ask(`${url.replace(/\/$/, '')}/v2/`, { withinMs: connectMs, believesAnybody: true });
  if (isFailure(answer)) return ok(`nothing answers at ${url}`);
  if (answer.status === 200 && !isOfRegistry(answer)) return ok(`what answers at ${url} is no registry`);
  if (answer.status === 200)
    return fail(`${url}/v2/ answers without a login: a registry can be reached past the gateway`, fixes.bind);
  if (answer.status === 401 && realmOf(answer) !== `${context.config.publicUrl}/token`)
    return warn(`something at ${url} asks for a login, and is not this gateway`, 'see what it is');
  return ok(`${url} gives nothing without a login`);
}
