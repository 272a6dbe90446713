/** `portcullis serve`: the gateway until a signal ends it; in try mode with everything it needs around it. */
import { relative } from 'node:path';
import { type Log, createLog } from '../adapters/log/log.ts';
import { type Config } from '../config/load.ts';
import { startGateway } from '../main.ts';
import type { Upstream } from '../trial/registry.ts';
import { formatBanner } from '../trial/banner.ts';
import type { TrialState } from '../trial/state.ts';
import { type ConfigurationFlags, readConfiguration } from './configuration.ts';
import { type ExitCode, complain, exitCodes, reportBroken, useColour } from './report.ts';
import { version } from '../version.ts';

/** What the gateway stands on: outside try mode only what the configuration names. */
interface Ground {
  readonly config: Config;
  /** What try mode stands in front of, and its account. */
  readonly trial?: { readonly upstream: Upstream; readonly state: TrialState };
  readonly extraPolicies?: readonly string[];
}

/**
 * Runs until a signal ends it: 0 when every transfer came to its end, 1 when one was cut or it could not start, 78 for
 * configuration or policies.
 */
export async function serve(flags: ConfigurationFlags): Promise<ExitCode> {
  const configuration = readConfiguration(flags);
  if (!configuration.ok) return reportBroken(configuration.problems);
  const { isTrial } = configuration;
  const stopped = stopSignals();
  // Only try mode loads what it needs: it takes as long as much of the rest of a start.
  const ground: Ground | { readonly failed: string } = isTrial
    ? await (await import('./trial-state.ts')).openTrialGround(configuration.config, stopped.signal)
    : configuration;
  if ('failed' in ground) return complain(ground.failed);
  const { config, trial, extraPolicies = [] } = ground;
  const log = createLog();
  try {
    const started = await startGateway({ config, log, placeOf: configuration.placeOf, extraPolicies });
    if (!started.ok) return reportBroken(started.problems);
    const { gateway } = started;
    if (trial !== undefined) process.stdout.write(banner(config, trial.upstream, trial.state, gateway.policy()));
    log.info('portcullis is serving', {
      url: gateway.url,
      publicUrl: config.publicUrl,
      upstream: config.upstreams.map(({ url }) => url).join(', '),
      version,
    });
    const reload = (): void => void gateway.reload();
    process.on('SIGHUP', reload);
    const lost = trial?.upstream.exited?.then(() => 'registry' as const);
    const defect = firstDefect(log);
    const reason = await Promise.race([stopped.first, defect, ...(lost === undefined ? [] : [lost])]);
    if (reason === 'registry')
      log.error('the registry started by try mode has ended; see registry.log in the state directory');
    process.off('SIGHUP', reload);
    void stopped.second.then(async () => {
      gateway.cut();
      await log.flush();
      process.exit(1);
    });
    const { clean } = await gateway.close(reason === 'defect' ? defectDrainMs : undefined);
    log.info('portcullis has stopped', { clean });
    return reason !== 'signal' || !clean ? exitCodes.problems : exitCodes.ok;
  } finally {
    await trial?.upstream.stop();
    await log.flush();
  }
}

/** What runs may end, but not for long: a supervisor is to start a sound process. */
const defectDrainMs = 30_000;

/** An error that nobody handled: what arrives here may have left anything half done, so the process ends. */
function firstDefect(log: Log): Promise<'defect'> {
  return new Promise((resolve) => {
    process.on('uncaughtException', (error: unknown) => {
      log.error('the gateway has a defect and stops', {
        detail: error instanceof Error ? (error.stack ?? error.message) : String(error),
      });
      resolve('defect');
    });
  });
}

/** Ctrl-C reaches a program under `npm start` twice, from the terminal and from npm: within this time it is one. */
const sameSignalMs = 300;

/** The first signal drains, a later one ends at once. */
function stopSignals(): {
  readonly first: Promise<'signal'>;
  readonly second: Promise<void>;
  readonly signal: AbortSignal;
} {
  const abort = new AbortController();
  let firstAt: number | undefined;
  let first: (reason: 'signal') => void = () => {};
  let second: () => void = () => {};
  const onSignal = (): void => {
    const now = performance.now();
    if (firstAt === undefined) {
      firstAt = now;
      abort.abort();
      first('signal');
    } else if (now - firstAt > sameSignalMs) second();
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  return {
    first: new Promise((resolve) => (first = resolve)),
    second: new Promise((resolve) => (second = resolve)),
    signal: abort.signal,
  };
}

function banner(
  config: Config,
  { url, description }: Upstream,
  { adminPassword: password }: TrialState,
  policy: {
    readonly compiled: { readonly policy: { readonly rules: readonly unknown[] } };
    readonly testsPassed: number;
  },
): string {
  return formatBanner({
    version,
    url: config.publicUrl,
    hasPage: config.page.enabled,
    upstream: { url, description },
    store: config.redis === undefined ? 'in this process, kept in the state directory' : 'Redis (PORTCULLIS_REDIS)',
    policies: {
      from: config.policies.map((path) => relative(process.cwd(), path) || '.').join(', '),
      rules: policy.compiled.policy.rules.length,
      testsPassed: policy.testsPassed,
    },
    admin: { account: 'admin', password, passwordFile: `${config.stateDir}/initial-admin-password` },
    stateDir: config.stateDir,
    workingDirectory: process.cwd(),
    colour: useColour(process.stdout),
  });
}
