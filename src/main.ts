/** The composition root: what is read, what a machine has once, what each listener is made of. The only file that builds everything. */
import { hostname } from 'node:os';
import { readDescriptorLimit } from './adapters/kernel/descriptor-limit.ts';
import { createSendQueues } from './adapters/kernel/send-queues.ts';
import type { LoadedPolicy } from './adapters/files/policy-loading.ts';
import type { Log } from './adapters/log/log.ts';
import type { Config } from './config/load.ts';
import type { Problem } from './document/problem.ts';
import { renewCertificate } from './gateway/certificate.ts';
import { type Inputs, readInputs } from './gateway/inputs.ts';
import { type Lifecycle, createLifecycle } from './gateway/lifecycle.ts';
import { closing, listenAll } from './gateway/listen.ts';
import { openMachine } from './gateway/machine.ts';
import { createObserved } from './gateway/observed.ts';
import { checkAll } from './gateway/readiness.ts';
import { followRegistry } from './gateway/registry-health.ts';
import { KnownParts } from './gate/known-parts.ts';
import { createAdminListener } from './http/admin/admin.ts';
import { createBackend } from './http/backend/backend.ts';
import { manifestBudget } from './http/front/manifest-body.ts';
import { createListener } from './http/listener.ts';
import { createLoginGuard } from './identity/login-guard.ts';
import { createPasswords } from './identity/password.ts';
import { VerifiedPasswords } from './identity/verified-passwords.ts';
import { connectionBounds } from './limits/connection-shares.ts';
import { createMemoryBudget } from './limits/memory-budget.ts';
import { createLimits } from './limits/spend.ts';
import { createListCursors } from './sealed/list-cursor.ts';
import { createUploadTickets } from './sealed/upload-ticket.ts';
import { createAccessTokens } from './token/access-token.ts';
import { createTokenService } from './token/service.ts';
import { version } from './version.ts';

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

/** Problems of policies, keys, certificates and addresses come back together; nothing is open then. */
export async function startGateway(options: GatewayOptions): Promise<Started> {
  const { config, extraPolicies = [] } = options;
  const read = await readInputs(config, [...config.policies, ...extraPolicies], Date.now());
  if (!read.ok) return read;
  const lifecycle = createLifecycle();
  try {
    const started = await open(options, read.value, lifecycle);
    if (!started.ok) await lifecycle.closeAll();
    return started;
  } catch (error) {
    await lifecycle.closeAll();
    throw error;
  }
}

async function open(
  { config, upstreamUrl, log }: GatewayOptions,
  inputs: Inputs,
  lifecycle: Lifecycle,
): Promise<Started> {
  const clock = Date.now;
  const observed = createObserved(log);
  const { audit } = observed;
  const machine = openMachine({ config, inputs, clock, log, audit, lifecycle });
  const { policies, keys, stores, parts } = machine;
  const { sessions, robotUses, tagLocks, limiter, failedLogins } = stores;
  const { publicUrl, trustedProxies } = config;

  const { service, accessTtlSeconds: ttlSeconds, refreshTtlSeconds } = config.tokens;
  const tokens = createAccessTokens({ keys, issuer: publicUrl, service, ttlSeconds });
  const passwords = createPasswords(observed.countHash);
  const verified = new VerifiedPasswords();
  const guard = createLoginGuard(failedLogins, keys);
  const limits = createLimits(limiter, observed.countLimit);
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
  const backend = lifecycle.opens(
    createBackend({
      url: upstreamUrl,
      publicUrl,
      ...config.timeouts,
      redirects: config.redirects,
      askMs: 10_000,
      sendQueues: createSendQueues(),
    }),
  );
  const listener = createListener({
    front: { publicUrl, service },
    tokens,
    accessTokens: tokens,
    tokenService,
    sessions,
    robotUses,
    tickets: createUploadTickets(keys, upstreamUrl),
    cursors: createListCursors(keys, clock, upstreamUrl),
    policies,
    passwords,
    verified,
    guard,
    limits,
    keys,
    backend,
    tagLocks,
    knownParts: new KnownParts(),
    manifestMemory: createMemoryBudget(manifestBudget),
    idleMs: config.timeouts.idleMs,
    audit,
    clock,
    trustedProxies,
    connectionBounds: connectionBounds(readDescriptorLimit()),
    isDraining: lifecycle.isDraining,
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
    ...(inputs.certificate === undefined ? {} : { tls: inputs.certificate.texts }),
  });
  const { server, connections } = listener;
  lifecycle.opens(closing(server, () => connections.cutAll()));
  const certificate =
    inputs.certificate && lifecycle.opens(renewCertificate(server, inputs.certificate, { clock, log })).part;
  const health = lifecycle.opens(await followRegistry(backend.ask, { url: upstreamUrl, log }));

  observed.watch({ machine, upstream: health.part, certificate, transfers: backend.activeTransfers });
  const readiness = [lifecycle.part, parts.policy, health.part, parts.store, parts.keys];
  if (certificate !== undefined) readiness.push(certificate);
  const admin = createAdminListener({
    readiness: () => checkAll(readiness),
    metrics: observed.render,
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
      token: inputs.adminToken,
      version,
    },
  });
  lifecycle.opens(closing(admin, () => admin.closeAllConnections()));
  const bound = await listenAll({ server, at: config.listen }, { server: admin, at: config.admin.listen });
  if (!bound.ok) return bound;
  // Running out of files or memory fails an accept now and then; unheard, it would end the process.
  for (const each of [server, admin])
    each.on('error', (error) => log.error('a connection could not be accepted', { detail: error.message }));

  const cut = (): void => {
    backend.stop();
    connections.cutAll();
  };
  return {
    ok: true,
    gateway: {
      url: bound.url,
      adminUrl: bound.adminUrl,
      policy: policies.loaded,
      reload: () => policies.reload(),
      async close(withinMs = Infinity) {
        const { leaveMs, drainMs } = config.timeouts;
        const drained = await lifecycle.drain(listener, cut, { leaveMs, drainMs: Math.min(withinMs, drainMs) });
        await lifecycle.closeAll();
        return drained;
      },
      cut,
    },
  };
}
