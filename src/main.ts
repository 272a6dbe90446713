/** The composition root: configuration -> adapters -> listeners -> drain. The only file that builds everything. */
import { existsSync, readdirSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import type { Server } from 'node:http';
import type { Server as TlsServer } from 'node:https';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { followCertificate, readCertificate } from './adapters/files/certificate-files.ts';
import { ensureAdminToken } from './adapters/files/admin-token.ts';
import { readDescriptorLimit } from './adapters/kernel/descriptor-limit.ts';
import { createSendQueues } from './adapters/kernel/send-queues.ts';
import { followKeyDirectory } from './adapters/files/key-directory.ts';
import { readKeyFiles } from './adapters/files/key-ring.ts';
import { type LoadedPolicy, type PolicyLoading, loadPolicy, shortRevision } from './adapters/files/policy-loading.ts';
import { followPolicyFiles } from './adapters/files/policy-source.ts';
import type { Log } from './adapters/log/log.ts';
import { createRegistryClient } from './adapters/registry/registry-client.ts';
import type { ListenAddress } from './config/addresses.ts';
import type { Config } from './config/load.ts';
import type { Secret } from './config/secret.ts';
import { type Problem, formatProblem } from './document/problem.ts';
import { type ReadinessCheck, createAdminListener } from './http/admin/admin.ts';
import { createListener } from './http/listener.ts';
import { certificateProblem } from './http/front/tls.ts';
import { createUpstream } from './http/backend/upstream.ts';
import { manifestBudget } from './http/front/manifest-body.ts';
import { connectionBounds } from './limits/connection-shares.ts';
import { createMemoryBudget } from './limits/memory-budget.ts';
import { createLimits } from './limits/spend.ts';
import { createMetrics } from './gateway/metrics.ts';
import type { AuditLog, RegistryHealth } from './ports.ts';
import { openStores } from './gateway/stores.ts';
import { createAccessTokens } from './token/access-token.ts';
import { createLoginGuard } from './identity/login-guard.ts';
import { createListCursors } from './sealed/list-cursor.ts';
import { createPasswords } from './identity/password.ts';
import { version } from './version.ts';
import { createUploadTickets } from './sealed/upload-ticket.ts';
import { createTokenService } from './token/service.ts';
import { followDisabled } from './identity/standing.ts';
import { VerifiedPasswords } from './identity/verified-passwords.ts';

export interface GatewayOptions {
  readonly config: Config;
  readonly upstreamUrl: string;
  readonly log: Log;
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
  /**
   * Says so on the readiness page, then stops taking requests and waits for those in flight, at most the drain timeout
   * or `withinMs`. `clean`: none had to be cut.
   */
  close(withinMs?: number): Promise<{ readonly clean: boolean }>;
  /** Cuts every connection of the main listener now, so that clients see it. */
  cut(): void;
}

export type Started =
  { readonly ok: true; readonly gateway: Gateway } | { readonly ok: false; readonly problems: readonly Problem[] };

const probeMs = 5000;
/** How long the start waits to hear of the registry. It serves without as well, and asks on. */
const firstProbeMs = 2000;
const certificatePollMs = 5000;
const sweepMs = 500;
/** How long requests that were cut may take to be written down. */
const settleMs = 1000;
/** Linux; other systems have no number to show. */
const descriptors = '/proc/self/fd';
/**
 * Connections that may wait to be accepted, as far as the system allows (net.core.somaxconn). Of a crowd beyond it the
 * system drops first packets, which clients send again after 1, 3, 7 … seconds; Node's own 511 is a small crowd.
 */
const backlog = 4096;

/** Problems of policies, keys, certificates and addresses come back together; nothing listens then. */
export async function startGateway({ config, upstreamUrl, log, extraPolicies = [] }: GatewayOptions): Promise<Started> {
  const clock = Date.now;
  const policyPaths = [...config.policies, ...extraPolicies];
  const first = await loadPolicy(policyPaths, clock());
  const keyDirectory = config.tokens.keys ?? join(config.stateDir, 'keys');
  const ring = readKeyFiles(keyDirectory, config.tokens.keys === undefined);
  const adminToken = openAdminToken(config.stateDir);
  const certificate = config.tls === undefined ? undefined : openCertificate(config.tls, clock());
  const problems = [
    ...(first.ok ? [] : first.problems),
    ...(ring.ok ? [] : ring.problems),
    ...('problem' in adminToken ? [adminToken.problem] : []),
    ...(certificate !== undefined && 'problem' in certificate ? [certificate.problem] : []),
  ];
  if (!first.ok || !ring.ok || 'problem' in adminToken || (certificate !== undefined && 'problem' in certificate)) {
    return { ok: false, problems };
  }

  const policies = followPolicyFiles(first.loaded, { paths: policyPaths, clock, onReload });
  const metrics = createMetrics();
  const audit: AuditLog = {
    record(record) {
      metrics.record(record);
      log.record(record);
    },
  };
  const keys = followKeyDirectory(ring.files, {
    directory: keyDirectory,
    clock,
    onChange: (kids, found) => {
      if (found.length === 0) log.info('the signing keys changed', { kids });
      else log.error('the signing keys on disk cannot be used; the last good ones stay', { detail: formatAll(found) });
    },
  });
  const { service, accessTtlSeconds: ttlSeconds } = config.tokens;
  const tokens = createAccessTokens({ keys, issuer: config.publicUrl, service, ttlSeconds });
  const countHash = metrics.family('portcullis_password_hashes_total', 'Password hashes computed, by scheme.');
  const passwords = createPasswords((scheme) => countHash(`scheme="${scheme}"`));
  const verified = new VerifiedPasswords();
  const stores = openStores(config, clock, log);
  const { sessions, robotUses, tagLocks, limiter, failedLogins } = stores;
  const endDisabled = followDisabled(sessions, clock);
  endDisabled(policies.current().policy);
  const countLimit = metrics.family('portcullis_limit_requests_total', 'Requests that limits counted or refused.');
  const limits = createLimits(limiter, (limit, spent) => countLimit(`limit="${limit.name}",result="${spent}"`));
  const guard = createLoginGuard(failedLogins, keys);
  const tickets = createUploadTickets(keys, upstreamUrl);
  const { refreshTtlSeconds } = config.tokens;
  const tokenService = createTokenService({
    tokens,
    policies,
    sessions,
    robotUses,
    clock,
    service,
    refreshTtlSeconds,
    passwords,
    verified,
    guard,
    limits,
  });
  const upstream = createUpstream({
    url: upstreamUrl,
    publicUrl: config.publicUrl,
    ...config.timeouts,
    redirects: config.redirects,
    sendQueues: createSendQueues(),
  });
  const registry = createRegistryClient({ url: upstreamUrl, publicUrl: config.publicUrl, timeoutMs: 10_000 });
  let draining = false;
  const {
    server: listener,
    connections,
    settled,
  } = createListener({
    front: { publicUrl: config.publicUrl, service },
    tokens,
    accessTokens: tokens,
    tokenService,
    sessions,
    robotUses,
    tickets,
    cursors: createListCursors(keys, clock, upstreamUrl),
    policies,
    passwords,
    verified,
    guard,
    limits,
    keys,
    upstream,
    registry,
    tagLocks,
    manifestMemory: createMemoryBudget(manifestBudget),
    idleMs: config.timeouts.idleMs,
    audit,
    clock,
    trustedProxies: config.trustedProxies,
    connectionBounds: connectionBounds(readDescriptorLimit()),
    isDraining: () => draining,
    onUnreadableForwarding: (entry) =>
      log.warn('X-Forwarded-For of a trusted proxy has an entry that is no address; its clients count as one', {
        detail: entry.slice(0, 100),
        fix: 'let the proxy write the address of its client, for example 203.0.113.7 (said once)',
      }),
    onError: (error, exchange) =>
      log.error('a request failed inside the gateway', {
        requestId: exchange.requestId,
        detail: error instanceof Error ? (error.stack ?? error.message) : String(error),
      }),
    ...(certificate === undefined ? {} : { tls: certificate.texts }),
  });

  const followedCertificate =
    config.tls === undefined || certificate === undefined
      ? undefined
      : followCertificate(config.tls, certificate.texts, {
          objection: (texts) => certificateProblem(texts, clock()),
          use(texts) {
            (listener as TlsServer).setSecureContext(texts);
            log.info('the certificate was reloaded');
          },
          onProblem(problem) {
            if (problem === undefined) log.info('the certificate on disk is in use');
            else log.error('the certificate on disk cannot be used; the last good one stays', { detail: problem });
          },
          pollMs: certificatePollMs,
        });

  let upstreamHealth: RegistryHealth = await registry.ping(firstProbeMs);
  if (!upstreamHealth.ok)
    log.warn('the registry behind the gateway does not answer yet', {
      upstream: upstreamUrl,
      detail: upstreamHealth.detail,
    });
  const probe = setInterval(
    () => void registry.ping(probeMs - 500).then((health) => (upstreamHealth = health)),
    probeMs,
  ).unref();

  metrics.gauge('portcullis_policy_rules', 'Rules in force.', () => policies.loaded().compiled.policy.rules.length);
  metrics.gauge('portcullis_policy_last_reload_successful', '1 when the newest policy files are in force.', () =>
    policies.problems().length === 0 ? 1 : 0,
  );
  metrics.gauge('portcullis_keys_last_reload_successful', '1 when the newest signing keys are in use.', () =>
    keys.problems().length === 0 ? 1 : 0,
  );
  if (certificate !== undefined)
    metrics.gauge('portcullis_certificate_last_reload_successful', '1 when the newest certificate is in use.', () =>
      followedCertificate?.problem() === undefined ? 1 : 0,
    );
  metrics.gauge('portcullis_upstream_up', '1 when the registry answered last.', () => (upstreamHealth.ok ? 1 : 0));
  metrics.gauge('portcullis_store_up', '1 when sessions can be read and recorded.', () =>
    sessions.health().ok ? 1 : 0,
  );
  metrics.gauge('portcullis_transfers_in_flight', 'Requests being forwarded.', upstream.activeTransfers);
  metrics.gauge('portcullis_gateways', 'Gateways that share the store, at the last answer.', stores.gateways);
  metrics.gauge(
    'portcullis_clock_skew_seconds',
    'Seconds by which the clock here is ahead of that of Redis.',
    () => stores.clockSkewMs() / 1000,
  );
  metrics.counter(
    'portcullis_limit_fallback_total',
    'Requests that limits counted in this process because Redis was away.',
    stores.limitFallbacks,
  );
  metrics.counter(
    'portcullis_audit_dropped_total',
    'Log lines lost because standard output did not take them.',
    log.dropped,
  );

  metrics.gauge('process_resident_memory_bytes', 'Memory of the process.', () => process.memoryUsage.rss());
  metrics.gauge('nodejs_heap_size_used_bytes', 'Objects in the JavaScript heap.', () => process.memoryUsage().heapUsed);
  if (existsSync(descriptors))
    metrics.gauge('process_open_fds', 'Open file descriptors.', () => readdirSync(descriptors).length);

  const admin = createAdminListener({
    readiness,
    metrics: () => metrics.render(),
    hostName: hostname(),
    onError: (error) => log.error('the admin API failed', { detail: String(error) }),
    api: {
      sessions,
      robotUses,
      limits,
      limiter,
      failedLogins,
      keys,
      policy: policies.loaded,
      policyProblems: policies.problems,
      reloadPolicy: () => policies.reload(),
      audit,
      clock,
      token: adminToken.token,
      version,
    },
  });
  const bound = await listenAll(listener, config.listen, admin, config.admin.listen);
  if ('problems' in bound) {
    clearInterval(probe);
    policies.close();
    keys.close();
    followedCertificate?.close();
    upstream.close();
    registry.close();
    await stores.close();
    return { ok: false, problems: bound.problems };
  }
  // Running out of files or memory fails an accept now and then; unheard, it would end the process.
  for (const server of [listener, admin])
    server.on('error', (error) => log.error('a connection could not be accepted', { detail: error.message }));

  function onReload(result: PolicyLoading): void {
    endDisabled(policies.current().policy);
    if (result.ok) {
      const { compiled, testsPassed, revision } = result.loaded;
      const rules = compiled.policy.rules.length;
      audit.record({
        event: 'policy',
        decision: 'allow',
        reason: 'reloaded',
        detail: `revision ${shortRevision(revision)}: ${rules} rules, ${testsPassed} tests passed`,
      });
      return;
    }
    for (const problem of result.problems) {
      audit.record({
        event: 'policy',
        decision: 'deny',
        reason: 'reload_refused',
        source: `${problem.file}:${problem.line}`,
        detail: formatProblem(problem),
      });
    }
  }

  function readiness(): readonly ReadinessCheck[] {
    const store = sessions.health();
    const check = (name: string, problem: string | undefined, detail?: string): ReadinessCheck =>
      problem === undefined
        ? { name, state: 'ok', ...(detail === undefined ? {} : { detail }) }
        : { name, state: 'degraded', detail: problem };
    const lastGood = (what: string, problems: readonly Problem[]): string | undefined =>
      problems.length === 0 ? undefined : `the last good ${what}; ${formatAll(problems)}`;
    return [
      draining ? { name: 'serving', state: 'failed', detail: 'shutting down' } : { name: 'serving', state: 'ok' },
      check(
        'policy',
        lastGood('policy stays in force', policies.problems()),
        `revision ${shortRevision(policies.loaded().revision)}`,
      ),
      check('upstream', upstreamHealth.ok ? undefined : upstreamHealth.detail),
      check('store', store.ok ? undefined : store.detail, store.detail),
      check('keys', lastGood('keys stay in use', keys.problems())),
      ...(certificate === undefined ? [] : [check('certificate', followedCertificate?.problem())]),
    ];
  }

  function cut(): void {
    upstream.stop();
    connections.cutAll();
  }

  async function close(withinMs = Infinity): Promise<{ readonly clean: boolean }> {
    const drainMs = Math.min(withinMs, config.timeouts.drainMs);
    draining = true;
    let clean = true;
    followedCertificate?.close();
    connections.endWithAnswers();
    const deadline = setTimeout(() => {
      clean = connections.inFlight() === 0;
      cut();
    }, drainMs);
    // A load balancer needs a moment to see the readiness page; until then what it still sends is served.
    const leaveMs = Math.min(config.timeouts.leaveMs, drainMs);
    if (leaveMs > 0) await new Promise((resolve) => setTimeout(resolve, leaveMs));
    const closed = new Promise((resolve) => listener.close(resolve));
    const sweep = setInterval(() => connections.endUnused(), sweepMs);
    connections.endUnused();
    await closed;
    await Promise.race([settled(), new Promise((resolve) => setTimeout(resolve, settleMs).unref())]);
    clearInterval(sweep);
    clearTimeout(deadline);
    clearInterval(probe);
    policies.close();
    keys.close();
    upstream.close();
    registry.close();
    await stores.close();
    admin.closeAllConnections();
    await new Promise((resolve) => admin.close(resolve));
    return { clean };
  }

  return {
    ok: true,
    gateway: {
      url: bound.url,
      adminUrl: bound.adminUrl,
      policy: policies.loaded,
      reload: () => policies.reload(),
      close,
      cut,
    },
  };
}

function formatAll(problems: readonly Problem[]): string {
  return problems.map((problem) => formatProblem(problem)).join(' | ');
}

function openAdminToken(stateDir: string): { readonly token: Secret } | { readonly problem: Problem } {
  try {
    return { token: ensureAdminToken(stateDir) };
  } catch (error) {
    const message = `the state directory cannot be used: ${error instanceof Error ? error.message : String(error)}`;
    return { problem: { file: stateDir, line: 0, column: 0, code: 'state-directory', message } };
  }
}

function openCertificate(
  files: { readonly cert: string; readonly key: string },
  now: number,
): { readonly texts: { readonly cert: string; readonly key: string } } | { readonly problem: Problem } {
  const problem = (message: string): { readonly problem: Problem } => ({
    problem: { file: files.cert, line: 0, column: 0, code: 'certificate', message },
  });
  try {
    const texts = readCertificate(files);
    const found = certificateProblem(texts, now);
    return found === undefined ? { texts } : problem(found);
  } catch (error) {
    return problem(error instanceof Error ? error.message : String(error));
  }
}

type Bound = { readonly url: string; readonly adminUrl: string } | { readonly problems: readonly Problem[] };

async function listenAll(main: Server, mainAt: ListenAddress, admin: Server, adminAt: ListenAddress): Promise<Bound> {
  const results = await Promise.all([listen(main, mainAt, 'listen'), listen(admin, adminAt, 'admin.listen')]);
  const problems = results.filter((result) => typeof result !== 'string');
  const [url, adminUrl] = results;
  if (problems.length === 0 && typeof url === 'string' && typeof adminUrl === 'string') return { url, adminUrl };
  main.close();
  admin.close();
  return { problems };
}

function listen(server: Server, { host, port }: ListenAddress, key: string): Promise<string | Problem> {
  return new Promise((resolve) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const cause =
        error.code === 'EADDRINUSE'
          ? 'is in use by another program'
          : `cannot be bound (${error.code ?? error.message})`;
      const variable = `PORTCULLIS_${key.replace('.', '_').toUpperCase()}`;
      const message = `${key}: the address ${host}:${port} ${cause}; choose another with ${variable}=127.0.0.1:PORT`;
      resolve({ file: 'network', line: 0, column: 0, code: 'address-unusable', message });
    });
    server.listen({ port, backlog, ...(host === '' ? {} : { host }) }, () => {
      const { address, family, port: bound } = server.address() as AddressInfo;
      resolve(
        `http${'setSecureContext' in server ? 's' : ''}://${family === 'IPv6' ? `[${address}]` : address}:${bound}`,
      );
    });
  });
}
