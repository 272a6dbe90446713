/** One registry behind the gateway, as a value: what is asked for clients, and what the gate asks for itself. */
import type { SecureContext } from 'node:tls';
import { registryAddress } from '../../distribution/registry-address.ts';
import type { RegistryRoute } from '../../distribution/route.ts';
import { formatTarget } from '../../distribution/target.ts';
import type { Registry, RegistryProbe, RegistryWriter, SendQueues, Unavailable, UpstreamLogin } from '../../ports.ts';
import { sendToRegistry } from './attempt.ts';
import { createBlobReader } from './blob-reader.ts';
import { type Forwarding, type UpstreamError, upstreamErrorOf } from './forwarding.ts';
import { ProgressWatch } from './progress.ts';
import { ping } from './ping.ts';
import { type Asked, createAsk, createQuestions } from './questions.ts';
import { createPassingMemory } from './passing-memory.ts';
import type { RedirectRules } from './redirects.ts';
import { takeReply } from './registry-reply.ts';
import { createRegistryWriter } from './registry-writer.ts';
import { relayIn } from './relay.ts';
import type { ReplySink } from './reply.ts';
import { following } from './storage.ts';
import { type BackendRequest, Transfer, type TransferTerms } from './transfer.ts';
import { createUpstreamAgents } from './upstream-agents.ts';

export interface BackendOptions extends Pick<TransferTerms, 'connectMs' | 'idleMs' | 'responseMs' | 'contentMemory'> {
  readonly url: string;
  /** What clients call this gateway, and the registry perhaps itself. */
  readonly publicUrl: string;
  /** Milliseconds for one whole answer to a question of the gate's own. */
  readonly askMs: number;
  /** Without them a client counts as silent that takes longer than `idleMs` for what the kernel holds for it, which is megabytes. */
  readonly sendQueues?: SendQueues;
  /** Default: redirects of reads are passed on, to wherever they lead. */
  readonly redirects?: RedirectRules;
  /** Hears of the first byte of each reply to a request for `target`, so many seconds after it was asked for. */
  readonly onFirstByte?: (target: string, seconds: number) => void;
  /** Hears of each request that failed there. */
  readonly onError?: (error: UpstreamError) => void;
  /** The gateway's own at this registry. Default: it is asked without one. */
  readonly login?: UpstreamLogin | undefined;
  /** Whose certificates are believed there, and of its storage. Default: those that the system trusts. */
  readonly secureContext?: SecureContext | undefined;
  /** Default: true. Otherwise the memory of bytes that have left waits for a garbage collection. */
  readonly freesMemory?: boolean;
}

export interface Backend extends RegistryProbe {
  /** For people: where it is. */
  readonly name: string;
  readonly origin: URL;
  /**
   * Streams the exchange to the registry, and the reply to `sink`; by default to the client.
   * Resolves when both directions have ended, whatever happened; never rejects.
   */
  open(asked: BackendRequest, sink?: ReplySink): Promise<Forwarding>;
  /** The last sink of every reply. */
  readonly toClient: ReplySink;
  /** Resolves when the client has taken an answer that is on its way, or is given up. */
  taken(asked: BackendRequest, answer: Pick<Forwarding, 'status' | 'bytes' | 'digest'>): Promise<Forwarding>;
  /** A HEAD of what `route` names. Never rejects. `accept` is empty where the header is to be left out. */
  look(route: RegistryRoute, accept: string, withinMs?: number): Promise<Asked>;
  /** The gate's own questions. */
  readonly ask: Registry;
  /** The same for people who look, over connections of their own. */
  readonly browse: Registry;
  /** Writes of its own; those of manifests belong into an `around`. */
  readonly write: RegistryWriter;
  /**
   * Runs what changes manifests of a repository, so that nobody goes on to answer with what was there before. Where
   * `isOver` says no to what came of it, the registry may be writing still. `unavailable`: it did not run.
   */
  around<T>(
    repository: string,
    task: () => Promise<T>,
    isOver: (value: T) => boolean,
  ): Promise<{ readonly ok: true; readonly value: T } | Unavailable>;
  readonly activeTransfers: () => number;
  /** From now on it is the gateway that ends connections, not their clients. */
  stop(): void;
  close(): void;
}

/** Milliseconds for an answer that people wait for; a page has given up before. */
const browseMs = 5000;

/** Opens no connection before it is asked for something. */
export function createBackend(options: BackendOptions): Backend {
  const { url, publicUrl, connectMs, idleMs, responseMs, redirects: rules = { mode: 'pass', hosts: [] } } = options;
  const origin = new URL(url);
  const origins = { upstream: origin, publicUrl: new URL(publicUrl) };
  const memory = createPassingMemory(options.freesMemory);
  const agents = createUpstreamAgents(origin.protocol, memory, options.secureContext);
  const relay = relayIn(memory);
  const watch = new ProgressWatch(Math.max(10, Math.min(1000, idleMs / 4)), options.sendQueues);
  let isStopping = false;
  const { contentMemory, login } = options;
  const terms = { connectMs, idleMs, responseMs, watch, contentMemory, isStopping: () => isStopping };
  const storageAgent = (protocol: string): ReturnType<typeof agents.storage> => agents.storage(protocol);
  const registryAt = (agent: typeof agents.questions, timeoutMs: number) => {
    const terms = { origins, agent, timeoutMs, login };
    const question = createAsk(terms);
    const openBlob = createBlobReader({ ...terms, redirects: rules, storageAgent });
    return { question, ask: createQuestions(question, openBlob, origins) };
  };
  const { question, ask } = registryAt(agents.questions, options.askMs);
  const { ask: browse } = registryAt(agents.browsing, Math.min(browseMs, options.askMs));
  const digestOfTag = async (repository: string, tag: string): Promise<string | undefined> => {
    const reading = await ask.manifest(repository, tag);
    return reading.ok ? reading.manifest?.digest : undefined;
  };
  const door = { origin, address: registryAddress(origin), agents, memory, login };
  const storages = { origins, rules, agents };
  const replies = { origins, idleMs, digestOfTag };

  return {
    name: origin.host,
    origin,
    open: (asked, sink = relay) =>
      new Promise((resolve) => {
        const transfer = new Transfer(asked, terms, sink, (forwarding) => {
          const error = upstreamErrorOf(forwarding);
          if (error !== undefined) options.onError?.(error);
          resolve(forwarding);
        });
        if (!transfer.begin()) return;
        const take = following(transfer, storages, sink, (response) => takeReply(response, transfer, replies, sink));
        const begun = performance.now();
        sendToRegistry(transfer, door, (response) => {
          options.onFirstByte?.(transfer.target, (performance.now() - begun) / 1000);
          take(response);
        });
      }),
    toClient: relay,
    taken: (asked, { status, bytes, digest }) =>
      new Promise((resolve) => {
        const transfer = new Transfer(asked, terms, relay, resolve);
        if (!transfer.begin()) return;
        transfer.answered();
        transfer.received = bytes;
        transfer.digest = digest;
        asked.exchange.response.once('finish', () => transfer.complete(status));
      }),
    look: (route, accept, withinMs) => question('HEAD', formatTarget(route), { accept, withinMs }),
    ping: (withinMs) => ping(question, withinMs, () => login?.isOpenToAll() === true),
    ask,
    browse,
    write: createRegistryWriter({ origins, agent: agents.writers, idleMs, responseMs, login }),
    around: async (_repository, task) => ({ ok: true, value: await task() }),
    activeTransfers: () => watch.active,
    stop: () => void (isStopping = true),
    close: () => agents.close(),
  };
}
