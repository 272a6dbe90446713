/** Where the gateway listens: whether it can, and who can reach what only admins may. */
import { formatHostPort, isEveryInterface, isLoopback } from '../network/host.ts';
import { type Check, type Outcome, fail, ok, skip } from './check.ts';
import { type Context, isFailure } from './context.ts';
import { isPublicAddress } from './public-address.ts';

export const addressChecks: readonly Check[] = [
  {
    number: 6,
    name: 'addresses',
    isAlone: true,
    async run(context) {
      const { config, machine, gateway } = context;
      const at = [
        { key: 'listen', ...config.listen },
        { key: 'admin.listen', ...config.admin.listen },
      ];
      const tried = await Promise.all(at.map(async (each) => ({ ...each, bound: await machine.bind(each) })));
      const told = await gateway.policy();
      const runs = !isFailure(told);
      for (const { key, host, port, bound } of tried) {
        const address = formatHostPort(host, port);
        if (bound.ok) continue;
        const isTaken = bound.code === 'EADDRINUSE';
        if (isTaken && runs && (key === 'admin.listen' || (await serves(context)))) continue;
        if (isTaken && isFailure(told) && (await serves(context)))
          return fail(
            `a gateway has ${address}, and does not know us: ${told.failed}`,
            'run doctor as its user, with its configuration and stateDir; if it is another one, stop it',
          );
        if (isTaken)
          return fail(`${address} is in use by another program`, `stop it, or set ${key} to another address`);
        if (bound.code === 'EACCES')
          return fail(
            `${address} is for root only`,
            `set ${key} to a port of 1024 or more, and let clients come by a proxy`,
          );
        return fail(`${address} cannot be listened on (${bound.code})`, `set ${key} to an address of this machine`);
      }
      const names = at.map(({ host, port }) => formatHostPort(host, port)).join(' and ');
      return ok(runs ? `the gateway serves at ${names}` : `${names} are free`);
    },
  },
  {
    number: 26,
    name: 'admin listener',
    async run(context) {
      const { host, port } = context.config.admin.listen;
      const reach = isEveryInterface(host) ? context.machine.addresses() : [host];
      const open = reach.find((address) => isPublicAddress(address));
      const fix = `set admin.listen to 127.0.0.1:${port}, or a private address`;
      if (open !== undefined) return fail(`the admin listener is bound to the public address ${open}`, fix);
      return throughName(context, fix);
    },
  },
];

/** Whether it is a gateway that has the main address. */
async function serves({ config, web }: Context): Promise<boolean> {
  const { host, port } = config.listen;
  const origin = `${config.tls === undefined ? 'http' : 'https'}://${formatHostPort(isEveryInterface(host) ? '127.0.0.1' : host, port)}`;
  const answer = await web.ask(`${origin}/.well-known/jwks.json`, { believesAnybody: true });
  return !isFailure(answer) && answer.status === 200 && answer.body.includes('"keys"');
}

/** The admin port at the host that clients know. */
async function throughName({ config, web, mayReach }: Context, fix: string): Promise<Outcome> {
  const { hostname, port: own } = new URL(config.publicUrl);
  const { port } = config.admin.listen;
  const at = formatHostPort(config.admin.listen.host, port);
  if (isLoopback(hostname) || String(port) === own) return ok(`at ${at}; publicUrl leads to none of it`);
  const url = `http://${hostname}:${port}/livez`;
  if (!mayReach(url)) return skip(`--offline: ${hostname}:${port} is not asked`);
  const addresses = await web.resolve(hostname.replace(/^\[|\]$/g, ''));
  if (!isFailure(addresses) && addresses.every(isLoopback)) return ok(`at ${at}; here publicUrl leads to this machine`);
  // To a public name it says 421; whoever means harm says another one, too.
  const answer = await web.ask(url, { withinMs: 2000, headers: { host: '127.0.0.1' } });
  if (isFailure(answer) || answer.status !== 200 || answer.body !== 'ok\n')
    return ok(`at ${at}; nothing of it answers at ${hostname}:${port}`);
  return fail(`the admin listener answers at ${hostname}:${port}, the host of publicUrl`, fix);
}
