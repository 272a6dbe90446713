/** Blobs that the gate reads for itself, as streams, from the registry or from the storage that it points at. */
import { type Agent, type ClientRequest, request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { registryAddress } from '../../distribution/registry-address.ts';
import type { Registry } from '../../ports.ts';
import type { AskTerms } from './questions.ts';
import { type RedirectRules, isRedirect, maxHops, redirectProblem } from './redirects.ts';

export interface BlobTerms extends AskTerms {
  /** Whatever clients are given, redirects are followed here; only to where they may lead. */
  readonly redirects: RedirectRules;
  readonly storageAgent: (protocol: string) => Agent;
}

type Settle = (reading: Awaited<ReturnType<Registry['openBlob']>>) => void;

/** `timeoutMs`: until its head is there, and without a byte of what follows; a stream that ends so ends with an error. */
export function createBlobReader(terms: BlobTerms): Registry['openBlob'] {
  const { origins, agent, timeoutMs: timeout } = terms;
  const { host, protocol } = origins.upstream;
  const address = registryAddress(origins.upstream);
  const open = protocol === 'https:' ? httpsRequest : httpRequest;
  return (repository, digest) =>
    new Promise((resolve) => {
      const path = `/v2/${repository}/blobs/${digest}`;
      const request = open({ ...address, method: 'GET', path, agent, headers: { host }, timeout });
      take(request, { terms, from: origins.upstream, hop: 0, settle: resolve });
    });
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
    // A storage that has nothing is no answer: the registry has just said that it is there.
    settle(status === 404 && hop === 0 ? { ok: true, blob: undefined } : { ok: false, reason: 'broken' });
  });
  request.end();
}

function mayLead(next: URL, from: URL, upstream: URL, rules: RedirectRules): boolean {
  if (from.protocol === 'https:' && next.protocol === 'http:') return false;
  return redirectProblem(next, from, upstream, rules) === undefined;
}
