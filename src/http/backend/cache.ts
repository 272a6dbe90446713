/**
 * A backend that remembers manifests and small blobs. Whoever comes here has been judged; what is answered from memory is
 * what the registry gave in that repository, and only while nobody wrote to it: a mark of the repository that was read
 * before the registry was asked must be the mark of now.
 */
import { clientNetwork, clientSite } from '../../limits/client-network.ts';
import { type MemoryBudget, createMemoryBudget } from '../../limits/memory-budget.ts';
import type { Mark, RepositoryMarks, Unavailable } from '../../ports.ts';
import { bodyPending } from '../front/drain.ts';
import { maxManifestBytes } from '../front/manifest-body.ts';
import { send, writeHeld } from '../front/respond.ts';
import { turnsEnd } from '../front/turn.ts';
import type { Backend } from './backend.ts';
import { type CacheTerms, type Wanted, isWrite, ttlOf, wantedOf } from './cache-rules.ts';
import { type Flight, Flights } from './flights.ts';
import type { Forwarding } from './forwarding.ts';
import { type Keepable, isLeft, keepingInto } from './keeping.ts';
import { answerKept } from './kept-answer.ts';
import { type Kept, KeptReplies } from './kept-replies.ts';
import type { ReplySink } from './reply.ts';
import type { BackendRequest } from './transfer.ts';

/** `hit`: known to be true; `confirmed`: as the registry just said; `stale`: for want of a registry. */
export type CacheResult = 'hit' | 'confirmed' | 'stale' | 'miss';

export interface CacheParts {
  readonly terms: CacheTerms;
  readonly marks: RepositoryMarks;
  readonly count: (kind: Wanted['kind'], result: CacheResult) => void;
  /** Several backends may share one of each. */
  readonly kept?: KeptReplies;
  readonly passing?: MemoryBudget;
  /** Milliseconds that only grow. */
  readonly now?: () => number;
}

export interface CachedBackend extends Backend {
  /** Bytes that are kept. */
  readonly cachedBytes: () => number;
}

/** For content on its way into memory and out of it to clients that take their time. */
export const passingBudget = { total: 16 * maxManifestBytes, each: 8 * maxManifestBytes };
/** Milliseconds for which a registry that did not answer is not asked again where memory can. */
const silenceMs = 1000;
/** Content up to this size may wait uncounted for its client: a socket takes that much anyway. */
const uncountedBytes = 65_536;

/** The backend itself where nothing may be kept. */
export function cachedBackend(backend: Backend, parts: CacheParts): CachedBackend {
  if (parts.terms.memoryBytes === 0) return { ...backend, cachedBytes: () => 0 };
  const cache = new Cache(backend, parts);
  return {
    ...backend,
    open: (asked, sink) => cache.open(asked, sink),
    around: (repository, task, isOver) => cache.around(repository, task, isOver),
    cachedBytes: () => cache.bytes,
  };
}

/** One read that memory may answer, and the mark that was read before anything else. */
interface Reading {
  readonly asked: BackendRequest;
  readonly sink: ReplySink;
  readonly wanted: Wanted;
  readonly mark: Mark | undefined | Unavailable;
}

class Cache {
  readonly #backend: Backend;
  readonly #terms: CacheTerms;
  readonly #marks: RepositoryMarks;
  readonly #count: CacheParts['count'];
  readonly #now: () => number;
  readonly #kept: KeptReplies;
  readonly #flights = new Flights();
  readonly #passing: MemoryBudget;
  #silentUntil = -Infinity;

  constructor(backend: Backend, { terms, marks, count, kept, passing, now = () => performance.now() }: CacheParts) {
    this.#backend = backend;
    this.#terms = terms;
    this.#marks = marks;
    this.#count = count;
    this.#now = now;
    this.#passing = passing ?? createMemoryBudget(passingBudget);
    this.#kept = kept ?? new KeptReplies(terms.memoryBytes);
  }

  get bytes(): number {
    return this.#kept.bytes;
  }

  async open(asked: BackendRequest, sink: ReplySink = this.#backend.toClient): Promise<Forwarding> {
    if (isWrite(asked.route)) return this.#write(asked, sink);
    const wanted = wantedOf(asked);
    if (wanted === undefined || ttlOf(wanted, this.#terms) === 0 || bodyPending(asked.exchange.request))
      return this.#backend.open(asked, sink);
    const mark = await this.#marks.read(wanted.repository);
    const reading = { asked, sink, wanted, mark };
    const kept = this.#kept.get(wanted.key);
    if (kept !== undefined && this.#isTrue(kept, reading)) return this.#answer(reading, kept, 'hit');
    const standIn = this.#now() < this.#silentUntil ? this.#standIn(reading) : undefined;
    if (standIn !== undefined) return this.#answer(reading, standIn, 'stale');
    // Somebody is writing, or nobody can tell: then only the registry knows.
    return typeof mark === 'string' ? this.#learn(reading, mark) : this.#ask(reading);
  }

  async #write(asked: BackendRequest, sink: ReplySink): Promise<Forwarding> {
    const { route, exchange } = asked;
    if (!('repository' in route)) return this.#backend.open(asked, sink);
    const written = await this.around(route.repository, () => this.#backend.open(asked, sink), isOver);
    if (written.ok) return written.value;
    return { status: send(exchange, writeHeld), outcome: 'marks_unavailable', bytes: 0, digest: undefined };
  }

  /** What is known of the repository goes before and after: even a mark that no other gateway can read leaves nothing here. */
  around<T>(
    repository: string,
    task: () => Promise<T>,
    isOver: (value: T) => boolean,
  ): Promise<{ readonly ok: true; readonly value: T } | Unavailable> {
    const forgetting = async (): Promise<T> => {
      this.#kept.forget(repository);
      try {
        return await task();
      } finally {
        this.#kept.forget(repository);
      }
    };
    return this.#marks.around(repository, forgetting, isOver);
  }

  #isTrue({ mark, confirmedAt, content }: Kept, { wanted, mark: now }: Reading): boolean {
    if (mark !== now || (content === undefined && !wanted.isHead)) return false;
    return this.#now() - confirmedAt < ttlOf(wanted, this.#terms);
  }

  /** Waits for whoever is asking the same already, or asks. */
  async #learn(reading: Reading, mark: Mark): Promise<Forwarding> {
    const { wanted } = reading;
    const place = `${mark} ${wanted.isHead ? 'HEAD' : 'GET'} ${wanted.key}`;
    for (;;) {
      const landing = await this.#flights.of(place);
      const kept = this.#kept.get(wanted.key);
      if (kept !== undefined && this.#isTrue(kept, reading)) return this.#answer(reading, kept, 'hit');
      // What could not be kept for others will not be kept for this one either: no queue behind it.
      if (landing === 'kept' || landing === 'not_kept') return this.#ask(reading);
      if (this.#flights.of(place) !== undefined) continue;
      // Who waits would get the answer to another question.
      if (reading.asked.exchange.request.headers['if-none-match'] !== undefined) return this.#ask(reading);
      const flight = this.#flights.begin(place);
      return await this.#confirmOrAsk(reading, mark, kept, flight).finally(() => flight.land('not_kept'));
    }
  }

  async #confirmOrAsk(reading: Reading, mark: Mark, kept: Kept | undefined, flight: Flight): Promise<Forwarding> {
    const { wanted } = reading;
    // A look at a blob makes some registries link it into the repository.
    if (kept?.content === undefined || wanted.isHead || wanted.kind === 'blob') return this.#ask(reading, flight);
    const asking = this.#now();
    const standIn = this.#standIn(reading);
    const looked = await this.#backend.look(reading.asked.route, wanted.accept, this.#terms.patienceMs);
    if (isSame(kept, looked)) {
      kept.mark = mark;
      kept.confirmedAt = asking;
      flight.land('kept');
      return this.#answer(reading, kept, 'confirmed');
    }
    const isDown =
      'failed' in looked
        ? looked.failed === 'unreachable' || looked.failed === 'timeout'
        : [502, 503, 504].includes(looked.status);
    return isDown && standIn !== undefined ? this.#answerFor(reading, standIn) : this.#ask(reading, flight);
  }

  async #ask(reading: Reading, flight?: Flight): Promise<Forwarding> {
    const { asked, sink, wanted } = reading;
    this.#count(wanted.kind, 'miss');
    const asking = this.#now();
    const share = this.#passing.open(siteOf(asked));
    const standIn = this.#standIn(reading);
    let isStoodIn = false;
    const keeping = {
      wanted,
      blobBytes: this.#terms.blobBytes,
      share,
      standsIn: () => (isStoodIn = standIn !== undefined),
      onKeepable: (keepable: Keepable | undefined) => void this.#keep(reading, keepable, asking, flight),
    };
    const patient = standIn === undefined ? asked : { ...asked, patienceMs: this.#terms.patienceMs };
    const forwarding = await this.#backend.open(patient, keepingInto(keeping, sink)).finally(share.close);
    if (isLeft(forwarding)) flight?.land('left');
    return isStoodIn && standIn !== undefined ? this.#answerFor(reading, standIn) : forwarding;
  }

  /** Only what was not written to meanwhile. */
  async #keep(
    { wanted, mark }: Reading,
    keepable: Keepable | undefined,
    asking: number,
    flight: Flight | undefined,
  ): Promise<void> {
    const { repository, key } = wanted;
    if (keepable === undefined || typeof mark !== 'string' || (await this.#marks.read(repository)) !== mark)
      return flight?.land('not_kept');
    const before = this.#kept.get(key);
    const content = keepable.content ?? contentOf(before, keepable);
    this.#kept.set(key, { ...keepable, content, repository, mark, confirmedAt: asking });
    flight?.land('kept');
  }

  /** What may be answered while the registry does not: known not to be written over, where that can be known. */
  #standIn({ wanted, mark }: Reading): Kept | undefined {
    const { staleIfErrorMs } = this.#terms;
    const kept = this.#kept.get(wanted.key);
    if (kept === undefined || mark === undefined || (kept.content === undefined && !wanted.isHead)) return undefined;
    if (typeof mark === 'string' && kept.mark !== mark) return undefined;
    return this.#now() - kept.confirmedAt < staleIfErrorMs ? kept : undefined;
  }

  /** The registry has just not answered. */
  #answerFor(reading: Reading, kept: Kept): Promise<Forwarding> {
    this.#silentUntil = this.#now() + silenceMs;
    return this.#answer(reading, kept, 'stale');
  }

  async #answer(
    { asked, sink, wanted }: Reading,
    kept: Kept,
    cache: Exclude<CacheResult, 'miss'>,
  ): Promise<Forwarding> {
    const { exchange } = asked;
    const { socket } = exchange.request;
    await turnsEnd();
    if (exchange.response.destroyed || socket.destroyed) return this.#backend.open(asked, sink);
    const size = kept.content?.length ?? 0;
    const share = size > uncountedBytes ? this.#passing.open(siteOf(asked)) : undefined;
    // Too many wait already for content that memory would hold for them.
    if (share?.grow(size) === false) return this.#backend.open(asked, sink);
    this.#count(wanted.kind, cache);
    const { status, bytes } = answerKept(exchange, kept, {
      isBlob: wanted.kind === 'blob',
      isStale: cache === 'stale',
    });
    const { digest } = kept;
    if (socket.writableLength === 0) {
      share?.close();
      return { status, outcome: 'complete', bytes, digest, cache };
    }
    const forwarding = await this.#backend.taken(asked, { status, bytes, digest });
    share?.close();
    return { ...forwarding, cache };
  }
}

/** What is kept already, where a reply to a HEAD calls it the same and as long: a registry that lies must not set its length. */
function contentOf(kept: Kept | undefined, { digest, headers }: Keepable): Buffer | undefined {
  const isSame = kept?.digest === digest && kept.content?.length === headers['content-length'];
  return isSame ? kept?.content : undefined;
}

/** Whether the registry has done with a write: cut off, it may do it yet, and so may what stands behind a proxy in front of it. */
function isOver({ outcome, status }: Forwarding): boolean {
  return outcome === 'complete' && status < 500;
}

/** Whether the registry, asked by HEAD, has what is kept. */
function isSame({ digest, headers: known }: Kept, looked: Awaited<ReturnType<Backend['look']>>): boolean {
  if ('failed' in looked || looked.status !== 200) return false;
  const { headers } = looked;
  const isOfType = headers['content-type'] === undefined || headers['content-type'] === known['content-type'];
  return headers['docker-content-digest'] === digest && isOfType;
}

function siteOf({ exchange }: BackendRequest): string {
  return clientSite(clientNetwork(exchange.address));
}
