/** A gateway before registries that answer as a test says, each by its name, and what they were asked. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Config } from '../../../src/config/load.ts';
import { type UpstreamTerms, soleUpstream } from '../../../src/config/upstreams.ts';
import { type GatewayHere, basic, startGatewayHere, testConfig } from '../../support/gateway.ts';
import { type StandIn, startStandIn } from '../../support/stand-in.ts';

export type Behave = (request: IncomingMessage, response: ServerResponse) => void;

export interface Behind extends Partial<UpstreamTerms> {
  readonly behave: Behave;
}

export interface BehindPrefixes {
  readonly front: GatewayHere;
  /** `NAME METHOD TARGET`, in the order in which they came; not `GET /v2/`. */
  readonly asked: string[];
  readonly standIns: ReadonlyMap<string, StandIn>;
  /** As dana, unless the headers say otherwise. */
  readonly ask: (path: string, init?: RequestInit) => Promise<Response>;
  readonly restart: (change: Readonly<Record<string, Partial<UpstreamTerms>>>) => Promise<void>;
  readonly close: () => Promise<void>;
}

/** dana, with the password that `basic` has. */
export const people = `
users:
  dana: { password: "$argon2id$v=19$m=8192,t=1,p=1$iKSpCHSoNI8PAz4ateNqYg$M2VJNCPpSgUmYyHR2e/+3dj57D+SFIDZ+OG0HU6URjk" }
`;

const rules = {
  timeouts: { connectMs: 500, idleMs: 800, responseMs: 800 },
  redirects: { mode: 'pass', hosts: [] },
} as const;

/** `keys`: where its keys lie, for one that is started again. */
export async function startBehindPrefixes(
  policy: string,
  behind: Readonly<Record<string, Behind>>,
  keys?: string,
): Promise<BehindPrefixes> {
  const asked: string[] = [];
  const standIns = new Map<string, StandIn>();
  for (const [name, { behave }] of Object.entries(behind)) {
    const standIn = await startStandIn((request, response) => {
      if (request.url === '/v2/') return void response.end('{}');
      asked.push(`${name} ${request.method} ${request.url}`);
      behave(request, response);
    });
    standIns.set(name, standIn);
  }
  const open = (change: Readonly<Record<string, Partial<UpstreamTerms>>> = {}): Promise<GatewayHere> => {
    const upstreams = Object.entries(behind).map(([name, terms]): UpstreamTerms => {
      const { url = '' } = standIns.get(name) ?? {};
      return { ...soleUpstream(url, rules), name, ...terms, ...change[name] };
    });
    const configure = testConfig('', {}, undefined, upstreams);
    return startGatewayHere({ 'policy.yaml': people + policy }, (dir, policiesDir): Config => {
      const config = configure(dir, policiesDir);
      return keys === undefined ? config : { ...config, stateDir: keys };
    });
  };
  let front = await open();
  return {
    get front() {
      return front;
    },
    asked,
    standIns,
    ask: (path, init = {}) =>
      fetch(`${front.url}${path}`, {
        redirect: 'manual',
        ...init,
        headers: { authorization: `Basic ${basic}`, ...init.headers },
      }),
    async restart(change) {
      await front.close();
      front = await open(change);
    },
    async close() {
      await front.close();
      await Promise.all([...standIns.values()].map((standIn) => standIn.close()));
    },
  };
}

export const says =
  (status: number, body: unknown, headers: Record<string, string> = {}): Behave =>
  (_request, response) => {
    const content = typeof body === 'string' ? body : JSON.stringify(body);
    response.writeHead(status, {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(content),
      ...headers,
    });
    response.end(content);
  };
