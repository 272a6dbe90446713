/** The composition root: what is read, what a machine has once, what each listener is made of. The only file that builds everything. */
import { hostname } from 'node:os';
import { readDescriptorLimit } from './adapters/kernel/descriptor-limit.ts';
import { createIssuerDocuments } from './adapters/issuers/documents.ts';
import { createMinutes } from './adapters/memory/minutes.ts';
import { createRecent } from './adapters/memory/recent.ts';
import { createMemoryFailedLogins } from './adapters/memory/failed-logins.ts';
import { createSendQueues } from './adapters/kernel/send-queues.ts';
import type { LoadedPolicy } from './adapters/files/policy-loading.ts';
import type { Log } from './adapters/log/log.ts';
import type { Config, Place } from './config/load.ts';
import type { UpstreamTerms } from './config/upstreams.ts';
import type { Problem } from './document/problem.ts';
import { openAudit } from './gateway/audit.ts';
import { renewCertificate } from './gateway/certificate.ts';
import { developerParts } from './gateway/developer.ts';
import { openIndexes } from './gateway/indexes.ts';
import { type Inputs, readInputs } from './gateway/inputs.ts';
import { type Lifecycle, createLifecycle } from './gateway/lifecycle.ts';
import { issuersOf } from './gateway/login-sources.ts';
import { closing, listenAll } from './gateway/listen.ts';
import { type OpenDirectories, connectDirectories, connectProvider, openDirectories } from './gateway/directories.ts';
import { type Machine, openMachine } from './gateway/machine.ts';
import { type Observed, createObserved } from './gateway/observed.ts';
import { type Part, checkAll, frozenNow } from './gateway/readiness.ts';
import { openOwn } from './gateway/own.ts';
import { tokenModePart } from './gateway/token-mode.ts';
import { type PageParts, apiCallers, openPage, operations, pagePartsOf } from './gateway/page.ts';
import { GateMemory } from './gate/gate-memory.ts';
import { KnownParts } from './gate/known-parts.ts';
import { remembering } from './gateway/remembered.ts';
import { reportTo } from './gateway/reports.ts';
import { sealedForOf } from './gateway/sealed-for.ts';
import { openUpstreams } from './gateway/upstreams.ts';
import { openWebLogins, tokenPageOf } from './gateway/web-logins.ts';
import { createAdminListener } from './http/admin/admin.ts';
import { contentBudget } from './http/backend/whole-content.ts';
import { manifestBudget } from './http/front/manifest-body.ts';
import { createListener } from './http/listener.ts';
import { createIdTokenGuard } from './identity/id-token-guard.ts';
import { createIssuerKeys } from './identity/issuer-keys.ts';
import { createIdentity } from './identity/identify.ts';
import { createLoginGuard } from './identity/login-guard.ts';
import { createPasswords } from './identity/password.ts';
import type { IdentitySource } from './identity/source.ts';
import { createDirectorySource } from './identity/sources/directory.ts';
import { createOidcSource } from './identity/sources/oidc.ts';
import { createHtpasswdSource } from './identity/sources/htpasswd.ts';
import { createPasswordSource } from './identity/sources/password.ts';
import { createPersonalSource } from './identity/sources/personal.ts';
import { createRobotSource } from './identity/sources/robot.ts';
import { createWorkloadSource } from './identity/sources/workload.ts';
import { VerifiedPasswords } from './identity/verified-passwords.ts';
import { connectionBounds } from './limits/connection-shares.ts';
import { createMemoryBudget } from './limits/memory-budget.ts';
import { createLimits } from './limits/spend.ts';
import { type Upstreams, createUpstreams } from './distribution/upstreams.ts';
import { createListCursors } from './sealed/list-cursor.ts';
import { createUploadTickets } from './sealed/upload-ticket.ts';
import { createAccessTokens } from './token/access-token.ts';
import { createTokenService } from './token/service.ts';
import { asking } from './operations/ask.ts';
import type { Clock } from './ports.ts';
import { version } from './version.ts';

export interface GatewayOptions {
  /** With at least one registry. */
  readonly config: Config;
  readonly log: Log;
  /** Where a setting was made, for problems with the files that it names. */
  readonly placeOf?: (key: string) => Place;
  /** Policy files beside the configured ones. */
  readonly extraPolicies?: readonly string[];
}

export interface Gateway {
  /** Origins as bound, for a listener on port 0. */
  readonly url: string;
  readonly adminUrl: string;
  readonly policy: () => LoadedPolicy;
  /** Looks at the policy files now. */
  reload(): Promise<void>;
  /** Takes no more requests, and waits for those in flight at most the drain timeout or `withinMs`. `clean`: none was cut. */
  close(withinMs?: number): Promise<{ readonly clean: boolean }>;
  /** Cuts every connection of the main listener now, so that clients see it. */
  cut(): void;
}

export type Started =
  { readonly ok: true; readonly gateway: Gateway } | { readonly ok: false; readonly problems: readonly Problem[] };

/** Problems of policies, keys, certificates and addresses come back together; nothing is open then. */
export async function startGateway(options: GatewayOptions): Promise<Started> {
  const { config, log, placeOf, extraPolicies = [] } = options;
  const upstreams = createUpstreams(config.upstreams);
  const read = await readInputs(config, [...config.policies, ...extraPolicies], Date.now(), placeOf);
  if (!read.ok) return read;
  const lifecycle = createLifecycle();
  try {
    const started = await open({ config, upstreams, log, inputs: read.value, clock: Date.now, lifecycle });
    if (!started.ok) await lifecycle.closeAll();
    return started;
  } catch (error) {
    await lifecycle.closeAll();
    throw error;
  }
}

/** What everything is built from. */
interface Ground {
  readonly config: Config;
  readonly upstreams: Upstreams<UpstreamTerms>;
  readonly log: Log;
  readonly inputs: Inputs;
  readonly clock: Clock;
  readonly lifecycle: Lifecycle;
}

async function open(ground: Ground): Promise<Started> {
  const { config, inputs, clock, lifecycle } = ground;
  const opened = await openAudit(config, ground.log, clock);
  if (!opened.ok) return opened;
  const audit = lifecycle.opens(opened.value);
  const { log } = audit;
  const [recent, minutes] = [createRecent(clock), createMinutes()];
  const observed = lifecycle.opens(remembering(createObserved(log), recent, minutes, clock));
  const machine = await openMachine({ ...ground, audit: observed.audit, onStoreAnswer: observed.storeAnswered });
  const { policies, parts } = machine;
  audit.signBy(machine.keys);
  const directories = lifecycle.opens(
    openDirectories(
      await connectDirectories(config.logins, clock),
      inputs.htpasswd,
      log,
      await connectProvider(config),
    ),
  );
  const readiness: Part[] = [lifecycle.part, parts.policy, ...tokenModePart(config)];
  const checks = (): ReturnType<typeof checkAll> =>
    checkAll([...readiness, ...frozenNow(policies.loaded().compiled.policy, clock())]);
  const lookedAt = { recent, minutes, checks, auditTrail: audit.trail };
  const serving = openServing(ground, machine, observed, directories, lookedAt);
  const { listener, behind, operationParts, certificate, issuerKeys, passwords } = serving;
  const { backend } = behind;
  const registries = await behind.follow();

  observed.watch({
    machine,
    upstreams: registries,
    certificate,
    loginSources: () => [...issuersOf(policies.current().policy, issuerKeys), ...directories.sources()],
    transfers: backend.activeTransfers,
    cachedBytes: behind.cachedBytes,
    hashesWaiting: passwords.waiting,
  });
  readiness.push(...registries.map(({ part }) => part), parts.store, parts.keys, ...audit.parts, ...directories.parts);
  if (certificate !== undefined) readiness.push(certificate.part);
  const admin = createAdminListener({
    readiness: checks,
    metrics: observed.render,
    hostName: hostname(),
    onError: (error) => log.error('the admin API failed', { detail: String(error) }),
    api: { ...operationParts, asking: asking(operations, operationParts), token: inputs.adminToken, version },
  });
  lifecycle.opens(closing(admin, () => admin.closeAllConnections()));
  const at = { server: listener.server, at: config.listen };
  const bound = await listenAll(at, { server: admin, at: config.admin.listen }, log);
  if (!bound.ok) return bound;

  const { url, adminUrl } = bound;
  const cut = (): void => {
    backend.stop();
    listener.connections.cutAll();
  };
  const close: Gateway['close'] = async (withinMs = Infinity) => {
    const { leaveMs, drainMs } = config.timeouts;
    const drained = await lifecycle.drain(listener, cut, { leaveMs, drainMs: Math.min(withinMs, drainMs) });
    await lifecycle.closeAll();
    return drained;
  };
  return {
    ok: true,
    gateway: { url, adminUrl, policy: policies.loaded, reload: () => policies.reload(), close, cut },
  };
}

/** Where accounts are known, in the order in which they are asked whose the credentials are. */
function openLogins(
  { config, log, clock }: Ground,
  { policies, keys, stores: { failedLogins, sessions } }: Machine,
  observed: Observed,
  { opened, htpasswd, oidc: provider }: OpenDirectories,
) {
  const guard = createLoginGuard(failedLogins, keys);
  const passwords = createPasswords(observed.countHash, observed.hashWaited, observed.hashTook);
  const stored = {
    passwords,
    verified: new VerifiedPasswords(),
    guard,
  };
  const hasDirectory = opened.length > 0;
  const ofPolicy = createPasswordSource({ ...stored, hasNext: hasDirectory || htpasswd !== undefined });
  const issuerKeys = createIssuerKeys(createIssuerDocuments(), clock, reportTo(log).onIssuerFailure);
  const workloads = createWorkloadSource({
    keys: issuerKeys,
    ownIssuer: config.publicUrl,
    guard: createIdTokenGuard(
      createMemoryFailedLogins(() => performance.now(), 10_000),
      failedLogins,
    ),
  });
  const directories = opened.map((each) => createDirectorySource({ ...each, guard, sessions }));
  // Passwords behind the rest: the last of those sources takes whatever the others leave.
  const files = htpasswd && createHtpasswdSource({ ...stored, people: htpasswd.people, hasNext: hasDirectory });
  const named: readonly IdentitySource[] = files === undefined ? [ofPolicy] : [ofPolicy, files];
  const outside = files === undefined ? directories : [files, ...directories];
  const oidc = provider && createOidcSource({ ...provider, sessions, earlier: outside, policies, clock });
  const people = [...named, ...directories, ...(oidc === undefined ? [] : [oidc])];
  const { service } = config.tokens;
  const personal = createPersonalSource({ sources: people, policies, sessions, clock, guard, service });
  const sources = [createRobotSource({ hasNext: true }), personal, workloads, ...people];
  return { sources, issuerKeys, oidc, passwords };
}

/** What each process that serves has: its listener, and the four values it is made of. */
function openServing(
  ground: Ground,
  machine: Machine,
  observed: Observed,
  directories: OpenDirectories,
  lookedAt: Pick<PageParts, 'recent' | 'minutes' | 'checks' | 'auditTrail'>,
) {
  const { config, upstreams, log, inputs, clock, lifecycle } = ground;
  const { policies, keys, stores } = machine;
  const { publicUrl, trustedProxies, timeouts } = config;
  const { service, accessTtlSeconds: ttlSeconds, refreshTtlSeconds } = config.tokens;
  const { sessions, robotUses, tagLocks, limiter, promotions } = stores;
  const limits = createLimits(limiter, observed.countLimit);
  const tokens = createAccessTokens({ keys, issuer: publicUrl, service, ttlSeconds });
  const { sources, issuerKeys, oidc, passwords } = openLogins(ground, machine, observed, directories);
  const login = { tokens, sessions, clock, service, refreshTtlSeconds, onIssued: observed.countToken };
  const identity = createIdentity({ ...login, sources, policies, robotUses, onLogin: observed.countLogin });
  const isTokensOnly = config.enforce === 'token';
  const tokenService = createTokenService({ ...login, identity, limits, upstreams, isFinal: isTokensOnly });
  const sealedFor = sealedForOf(upstreams);
  const gate = {
    ...{ identity, policies, clock, timed: observed.timeDecision },
    limits,
    tagLocks,
    knownParts: new KnownParts(),
    gates: { memory: new GateMemory(), count: observed.countGate },
    tickets: createUploadTickets(keys, sealedFor.repository),
    cursors: createListCursors(keys, clock, sealedFor.all),
    manifestMemory: createMemoryBudget(manifestBudget),
    idleMs: timeouts.idleMs,
  };
  const behind = openUpstreams({
    upstreams,
    common: {
      publicUrl,
      askMs: 10_000,
      sendQueues: createSendQueues(),
      contentMemory: createMemoryBudget(contentBudget),
    },
    heard: observed.behind,
    cache: { terms: config.cache, marks: stores.marks, count: observed.countCache },
    ...{ lifecycle, log },
  });
  const indexes = openIndexes({ backend: behind.backend, upstreams, stores, clock, lifecycle });
  const { backend } = behind;
  const { audit } = observed;
  const developer = developerParts({ config, gate, upstreams, backend, indexes, audit });
  const { own, terminals } = openOwn(config, stores, { identity, limits, audit, clock });
  const operationParts = pagePartsOf(machine, { ...lookedAt, ...developer, ...own });
  const { certificate } = inputs;
  const front = {
    ...{ publicUrl, service, audit, isTokensOnly, tokenPage: tokenPageOf(config) },
    ...observed.answers,
    clock,
    trustedProxies,
    connectionBounds: connectionBounds(readDescriptorLimit()),
    isDraining: lifecycle.isDraining,
    ...reportTo(log),
    tls: certificate?.texts,
  };
  const doors = openWebLogins({ config, directories, people: oidc, machine, front, observed });
  const listener = createListener({
    issuer: { tokenService, tokens, sessions, keys },
    gate,
    upstreams,
    backend,
    promotions,
    seen: indexes.seen,
    catalog: indexes.catalog,
    ...{ front, terminals },
    page: openPage({ config, machine, front, identity, parts: operationParts, doors }),
    api: { ...apiCallers(config, identity, limiter), asking: asking(operations, operationParts), version },
  });
  const { server, connections } = listener;
  lifecycle.opens(closing(server, () => connections.cutAll()));
  const renewed = certificate && lifecycle.opens(renewCertificate(server, certificate, { clock, log }));
  return { listener, behind, indexes, operationParts, issuerKeys, certificate: renewed, passwords };
}
