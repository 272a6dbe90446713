/** A proxy in front of a gateway, with the faults that proxies have. */
import { type IncomingMessage, type ServerResponse, createServer, request as httpRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';

export type Fault =
  'none' | 'limits bodies' | 'keeps bodies' | 'believes clients' | 'another address' | 'drops headers';

export interface Proxy {
  readonly url: string;
  fault: Fault;
  /** Where it leads. */
  port: number;
  readonly close: () => Promise<void>;
}

/** Comes from 127.0.0.2, and appends the address of its client to X-Forwarded-For. */
export async function startProxy(): Promise<Proxy> {
  const server = createServer((request, response) => void pass(request, response).catch(() => response.destroy()));
  const proxy = { fault: 'none' as Fault, port: 0 };
  async function pass(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { fault, port } = proxy;
    if (fault === 'limits bodies' && request.method === 'PUT') return void response.writeHead(413).end();
    const kept = fault === 'keeps bodies' ? await buffer(request) : undefined;
    const { 'x-forwarded-for': before, ...headers } = request.headers;
    const client = request.socket.remoteAddress ?? '';
    const chain =
      fault === 'believes clients' && before !== undefined
        ? [before]
        : [...(before === undefined ? [] : [before]), client];
    const onward = httpRequest({
      ...{ host: '127.0.0.1', port, method: request.method, path: request.url, agent: false },
      localAddress: fault === 'another address' ? '127.0.0.3' : '127.0.0.2',
      headers: { ...headers, 'x-forwarded-for': chain.join(', ') },
    });
    onward.on('error', () => response.destroy());
    onward.on('response', (answer) => {
      const answered = { ...answer.headers };
      if (fault === 'drops headers') delete answered['docker-distribution-api-version'];
      response.writeHead(answer.statusCode ?? 502, answered);
      answer.pipe(response);
    });
    if (kept === undefined) request.pipe(onward);
    else onward.end(kept);
  }
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return Object.assign(proxy, {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  });
}
