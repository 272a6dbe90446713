/** Binding the addresses of the configuration. */
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { OperatorLog } from '../adapters/log/log.ts';
import type { ListenAddress } from '../config/values.ts';
import { type Problem, unplaced } from '../document/problem.ts';

/**
 * Connections that may wait to be accepted, as far as the system allows (net.core.somaxconn). Of a crowd beyond it the
 * system drops first packets, which clients send again after 1, 3, 7 … seconds; Node's own 511 is a small crowd.
 */
const backlog = 4096;

export type Bound =
  | { readonly ok: true; readonly url: string; readonly adminUrl: string }
  | { readonly ok: false; readonly problems: readonly Problem[] };

/** The origins as bound, or what is wrong with each address. `log` hears of connections that are lost later on. */
export async function listenAll(
  main: { readonly server: Server; readonly at: ListenAddress },
  admin: { readonly server: Server; readonly at: ListenAddress },
  log: OperatorLog,
): Promise<Bound> {
  const [url, adminUrl] = await Promise.all([listen(main, 'listen'), listen(admin, 'admin.listen')]);
  if (typeof url !== 'string' || typeof adminUrl !== 'string')
    return { ok: false, problems: [url, adminUrl].filter((result) => typeof result !== 'string') };
  // Running out of files or memory fails an accept now and then; unheard, it would end the process.
  for (const { server } of [main, admin])
    server.on('error', (error) => log.error('a connection could not be accepted', { detail: error.message }));
  return { ok: true, url, adminUrl };
}

function listen(
  { server, at: { host, port } }: { readonly server: Server; readonly at: ListenAddress },
  key: string,
): Promise<string | Problem> {
  return new Promise((resolve) => {
    server.once('error', ({ code, message: text }: NodeJS.ErrnoException) => {
      const cause = code === 'EADDRINUSE' ? 'is in use by another program' : `cannot be bound (${code ?? text})`;
      const variable = `PORTCULLIS_${key.replace('.', '_').toUpperCase()}`;
      const message = `${key}: the address ${host}:${port} ${cause}; choose another with ${variable}=127.0.0.1:PORT`;
      resolve(unplaced('network', 'address-unusable', message));
    });
    server.listen({ port, backlog, ...(host === '' ? {} : { host }) }, () => {
      const { address, family, port: bound } = server.address() as AddressInfo;
      const scheme = 'setSecureContext' in server ? 'https' : 'http';
      resolve(`${scheme}://${family === 'IPv6' ? `[${address}]` : address}:${bound}`);
    });
  });
}

/** `server` as something to close: whatever still has a connection is cut by `cutAll`. Also when it never listened. */
export function closing(server: Server, cutAll: () => void): { close(): Promise<unknown> } {
  return {
    close() {
      cutAll();
      return new Promise((resolve) => server.close(resolve));
    },
  };
}
