/** Blobs that the gate reads for itself, as streams, from the registry or from the storage that it points at. */
import { type Agent, type ClientRequest, type IncomingMessage, request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { registryAddress } from '../../distribution/registry-address.ts';
import { registryScope } from '../../distribution/registry-scope.ts';
import type { BlobReading } from '../../ports.ts';
import { loggedIn } from './logged-in.ts';
import type { AskTerms } from './questions.ts';
import { type RedirectRules, isRedirect, maxHops, redirectProblem } from './redirects.ts';

export interface BlobTerms extends AskTerms {
  /** Whatever clients are given, redirects are followed here; only to where they may lead. */
  readonly redirects: RedirectRules;
  readonly storageAgent: (protocol: string) => Agent;
}

/** `refusal`: of the registry, its content thrown away. */
type Answer = BlobReading | { readonly refusal: IncomingMessage };
type Settle = (answer: Answer) => void;

/** `timeoutMs`: until its head is there, and without a byte of what follows; a stream that ends so ends with an error. */
export function createBlobReader(terms: BlobTerms): (repository: string, digest: string) => Promise<BlobReading> {
  const { origins, agent, timeoutMs: timeout, login } = terms;
  const { host, protocol } = origins.upstream;
  const address = registryAddress(origins.upstream);
  const open = protocol === 'https:' ? httpsRequest : httpRequest;
  const read = (path: string, authorization: string | undefined): Promise<Answer> =>
    new Promise((resolve) => {
      const headers = authorization === undefined ? { host } : { host, authorization };
      const request = open({ ...address, method: 'GET', path, agent, headers, timeout });
      take(request, { terms, from: origins.upstream, hop: 0, settle: resolve });
    });
  return async (repository, digest) => {
    const path = `/v2/${repository}/blobs/${digest}`;
    if (login === undefined) return withoutRefusal(await read(path, undefined));
    const answer = await loggedIn<Answer>({
      login,
      scope: registryScope('GET', path),
      send: (authorization) => read(path, authorization),
      headOf: (answer) => ('refusal' in answer ? answer.refusal : undefined),
      mayRepeat: () => true,
    });
    return withoutRefusal(answer);
  };
}

function withoutRefusal(answer: Answer): BlobReading {
  return 'refusal' in answer ? { ok: false, reason: 'broken' } : answer;
}

interface Reading {
  readonly terms: BlobTerms;
  readonly from: URL;
  readonly hop: number;
  readonly settle: Settle;
}

function take(request: ClientRequest, { terms, from, hop, settle }: Reading): void {
  const { timeoutMs, redirects, origins, storageAgent } = terms;
  let reason: 'unreachable' | 'timeout' = 'unreachable';
  let isFollowed = false;
  request.on('timeout', () => {
    reason = 'timeout';
    request.destroy(new Error(`nothing came within ${timeoutMs} ms`));
  });
  request.on('error', () => {
    if (!isFollowed) settle({ ok: false, reason });
  });
  // The socket is nobody's from here on: an error given to it would end the process.
  request.on('upgrade', (_response, socket) => socket.destroy());
  request.on('close', () => {
    if (!isFollowed) settle({ ok: false, reason: 'broken' });
  });
  request.on('response', (response) => {
    const { statusCode: status = 0, headers } = response;
    if (status === 200 && headers['content-encoding'] === undefined) {
      const length = headers['content-length'];
      const size = length === undefined ? undefined : Number(length);
      return settle({ ok: true, blob: { size, content: response } });
    }
    response.resume();
    const { location = '' } = headers;
    const next = isRedirect(status) && URL.canParse(location, from.href) ? new URL(location, from) : undefined;
    if (next !== undefined && hop < maxHops && mayLead(next, from, origins.upstream, redirects)) {
      isFollowed = true;
      // Speaks TLS or not.
      const following = httpRequest(next, { agent: storageAgent(next.protocol), timeout: timeoutMs });
      return take(following, { terms, from: next, hop: hop + 1, settle });
    }
    if (hop === 0 && (status === 401 || status === 403)) return settle({ refusal: response });
    // A storage that has nothing is no answer: the registry has just said that it is there.
    if (status === 404 && hop === 0) return settle({ ok: true, blob: undefined });
    settle({ ok: false, reason: status === 429 && hop === 0 ? 'limited' : 'broken' });
  });
  request.end();
}

function mayLead(next: URL, from: URL, upstream: URL, rules: RedirectRules): boolean {
  if (from.protocol === 'https:' && next.protocol === 'http:') return false;
  return redirectProblem(next, from, upstream, rules) === undefined;
}
