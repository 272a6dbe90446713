/** Reads the configuration from its three sources; nothing is used of one that has a mistake. */
import { resolve } from 'node:path';
import { type Problem, sortProblems, unplaced } from '../document/problem.ts';
import { formatHostPort, isEveryInterface } from '../network/host.ts';
import { auditProblem, auditTerms } from './audit.ts';
import { loginProblems, loginTerms, overlayLogins } from './logins.ts';
import { configKeys, type Settings } from './schema.ts';
import { type ConfigInput, type Source, environmentSource, fileSource, flagSource } from './sources.ts';
import { type ReportAt, overlayUpstreams, upstreamProblems, upstreamTerms } from './upstream-terms.ts';
import { type UpstreamDefaults, soleUpstream } from './upstreams.ts';

/** The whole configuration, checked. Paths are absolute; `upstreams` is empty only in try mode. */
export type Config = ReturnType<typeof complete>;

export type LoadedConfig =
  | {
      readonly ok: true;
      readonly config: Config;
      /** Where a setting was made, for what is found out about it later. */
      readonly placeOf: (key: string) => Place;
    }
  | { readonly ok: false; readonly problems: readonly Problem[] };

export type Place = Pick<Problem, 'file' | 'line' | 'column'>;

/** Defaults < file < environment < flags, or the problems of all of them at once. */
export function loadConfig(input: ConfigInput): LoadedConfig {
  const sources = [fileSource(input), environmentSource(input), flagSource(input)];
  const problems = sources.flatMap((source) => source.problems);
  const isSet = (key: string): boolean => sources.some((source) => source.isSet(key));
  problems.push(...missingKeys(input, isSet));
  const settings = sources.map((source) => source.settings).reduce(overlay);
  const at = reporter(sources, whole(input));
  problems.push(...registriesTwice(isSet, at));
  const isWhole = problems.length === 0;
  // What a source says of registries is judged even if it has a mistake elsewhere.
  if (sources.every(({ hasSoundUpstreams }) => hasSoundUpstreams)) {
    problems.push(...upstreamProblems(settings.upstreams ?? {}, upstreamDefaults(settings), at));
  }
  // A source with a mistake gives nothing else, so what is missing then may be there.
  if (isWhole) {
    problems.push(...clashingSettings(input, settings, isSet), ...tokenModeProblems(settings, at));
    const page = { publicUrl: settings.publicUrl, isEnabled: settings.page?.enabled ?? settings.enforce !== 'token' };
    problems.push(...loginProblems(settings.logins ?? {}, page, at));
  }
  if (problems.length > 0) return { ok: false, problems: sortProblems(problems) };
  const placeOf = (key: string): Place => {
    const { file, line, column } = at([key], '', '', '');
    return { file, line, column };
  };
  return { ok: true, config: complete(settings, input), placeOf };
}

function overlay(under: Settings, over: Settings): Settings {
  return {
    ...under,
    ...over,
    tls: { ...under.tls, ...over.tls },
    admin: { ...under.admin, ...over.admin },
    tokens: { ...under.tokens, ...over.tokens },
    page: { ...under.page, ...over.page },
    timeouts: { ...under.timeouts, ...over.timeouts },
    redirects: { ...under.redirects, ...over.redirects },
    cache: { ...under.cache, ...over.cache },
    audit: { ...under.audit, ...over.audit },
    upstreams: overlayUpstreams(under.upstreams, over.upstreams),
    logins: overlayLogins(under.logins, over.logins),
  };
}

/** Where a setting was made is where the last source that makes it does. */
function reporter(sources: readonly Source[], elsewhere: string): ReportAt {
  return (keys, code, message, fix) => {
    for (const key of keys) {
      const source = sources.findLast((candidate) => candidate.isSet(key));
      if (source === undefined) continue;
      const { name, ...place } = source.placeOf(key);
      return { ...place, code, message: `${name} ${message}`, fix };
    }
    return unplaced(elsewhere, code, `${keys.at(-1) ?? ''} ${message}`, fix);
  };
}

function registriesTwice(isSet: (key: string) => boolean, at: ReportAt): readonly Problem[] {
  if (!isSet('upstream') || !isSet('upstreams')) return [];
  const fix = 'keep upstreams, with main: { url: … } for the registry that upstream names';
  return [at(['upstream'], 'set-twice', 'and upstreams are both set', fix)];
}

function missingKeys(input: ConfigInput, isSet: (key: string) => boolean): readonly Problem[] {
  const examples: readonly (readonly [key: string, example: string])[] = [
    ['publicUrl', 'https://registry.example.com'],
    ['upstream', 'http://registry:5000'],
  ];
  const isThere = (key: string): boolean => isSet(key) || (key === 'upstream' && isSet('upstreams'));
  const missing = input.tryMode ? [] : examples.filter(([key]) => !isThere(key));
  const problems = missing.map(([key, example]) => required(input, key, `${key} is required`, example));
  const [cert, key] = [isSet('tls.cert'), isSet('tls.key')];
  if (cert && !key) problems.push(required(input, 'tls.key', 'tls.cert is set without tls.key', './tls.key'));
  if (key && !cert) problems.push(required(input, 'tls.cert', 'tls.key is set without tls.cert', './tls.crt'));
  return problems;
}

function required(input: ConfigInput, key: string, message: string, example: string): Problem {
  const variable = configKeys().find((candidate) => candidate.key === key)?.variable ?? '';
  const fix = `set ${key} in the configuration file or ${variable}, for example ${variable}=${example}`;
  return unplaced(whole(input), 'missing-key', message, fix);
}

function clashingSettings(input: ConfigInput, settings: Settings, isSet: (key: string) => boolean): readonly Problem[] {
  const problems: Problem[] = [];
  const { listen, adminListen } = listeners(settings, input.tryMode);
  const sameHost =
    listen.host === adminListen.host || isEveryInterface(listen.host) || isEveryInterface(adminListen.host);
  if (listen.port !== 0 && listen.port === adminListen.port && sameHost) {
    const message = `listen and admin.listen are the same address, port ${listen.port}`;
    const fix = 'give the admin listener a port of its own, for example admin.listen: 127.0.0.1:5051';
    problems.push(unplaced(whole(input), 'address-clash', message, fix));
  }
  if (input.tryMode && listen.port === 0 && !isSet('publicUrl')) {
    const message = 'listen asks for any free port, so publicUrl cannot be derived from it';
    problems.push(unplaced(whole(input), 'missing-key', message, 'give listen a port, or set publicUrl'));
  }
  if (settings.redirects?.mode === 'follow' && settings.redirects.hosts === undefined) {
    const message =
      'redirects.mode is follow without redirects.hosts: the gateway would fetch whatever a redirect names';
    problems.push(required(input, 'redirects.hosts', message, 'storage.example.com'));
  }
  const audit = auditProblem(settings.audit ?? {});
  if (audit !== undefined) problems.push(required(input, 'audit.directory', audit[1], './audit'));
  return problems;
}

/** What no registry can do that verifies tokens itself. */
function tokenModeProblems({ enforce, page, upstreams = {} }: Settings, at: ReportAt): readonly Problem[] {
  if (enforce !== 'token') return [];
  const problems: Problem[] = [];
  if (page?.enabled === true) {
    const message = 'is not served with enforce: token: its commands would name an address where there is no registry';
    problems.push(at(['page.enabled'], 'token-mode', message, 'remove page.enabled'));
  }
  const renamed = Object.entries(upstreams).filter(
    ([, { prefix, access, library }]) => prefix !== undefined || access === 'read' || library === true,
  );
  for (const [name] of renamed) {
    const message =
      'stands behind a prefix, is read-only or has library: a registry that verifies tokens knows nothing of it';
    problems.push(at([`upstreams.${name}`], 'token-mode', message, 'name one registry by upstream: URL'));
  }
  return problems;
}

function listeners(settings: Settings, tryMode: boolean) {
  return {
    listen: settings.listen ?? { host: tryMode ? '127.0.0.1' : '0.0.0.0', port: 5050 },
    adminListen: settings.admin?.listen ?? { host: '127.0.0.1', port: 5051 },
  };
}

/** For registries that have no terms of their own. */
function upstreamDefaults({ timeouts, redirects }: Settings): UpstreamDefaults {
  return {
    timeouts: {
      connectMs: 1_000 * (timeouts?.connect ?? 3),
      idleMs: 1_000 * (timeouts?.idle ?? 60),
      responseMs: 1_000 * (timeouts?.response ?? 5 * 60),
    },
    redirects: { mode: redirects?.mode ?? 'pass', hosts: redirects?.hosts ?? [] },
  };
}

function complete(settings: Settings, input: ConfigInput) {
  const { listen, adminListen } = listeners(settings, input.tryMode);
  const { tls, tokens, timeouts, cache, page } = settings;
  const defaults = upstreamDefaults(settings);
  const pair = tls?.cert !== undefined && tls.key !== undefined ? { cert: tls.cert, key: tls.key } : undefined;
  // Outside try mode `missingKeys` has made sure of it.
  const publicUrl =
    settings.publicUrl ?? `${pair === undefined ? 'http' : 'https'}://${formatHostPort('127.0.0.1', listen.port)}`;
  return {
    listen,
    /** An origin: no path, no slash at the end. */
    publicUrl,
    /** In the order in which they were named; one at most has no prefix. */
    upstreams:
      settings.upstream === undefined
        ? upstreamTerms(settings.upstreams ?? {}, defaults)
        : [soleUpstream(settings.upstream, defaults)],
    /** `token`: the registry verifies our tokens itself, and nothing of `/v2` is served. */
    enforce: settings.enforce ?? 'proxy',
    policies: settings.policies ?? [resolve(input.cwd, 'policies')],
    stateDir: settings.stateDir ?? resolve(input.cwd, '.portcullis'),
    /** Undefined: in-process. */
    redis: settings.redis,
    /** Networks as `address/length`. */
    trustedProxies: settings.trustedProxies ?? [],
    ...(pair === undefined ? {} : { tls: pair }),
    admin: { listen: adminListen },
    tokens: {
      service: tokens?.service ?? new URL(publicUrl).host,
      accessTtlSeconds: tokens?.accessTtl ?? (settings.enforce === 'token' ? 2 : 15) * 60,
      refreshTtlSeconds: tokens?.refreshTtl ?? 90 * 86_400,
      personalMaxTtlSeconds: tokens?.personalMaxTtl ?? 90 * 86_400,
      ...(tokens?.keys === undefined ? {} : { keys: tokens.keys }),
    },
    page: {
      // It shows commands for this address, at which there is no registry in token mode.
      enabled: page?.enabled ?? settings.enforce !== 'token',
      anonymous: page?.anonymous ?? 'auto',
      showPushers: page?.showPushers ?? 'authenticated',
    },
    logins: loginTerms(settings.logins),
    timeouts: {
      ...defaults.timeouts,
      drainMs: 1_000 * (timeouts?.drain ?? 15 * 60),
      leaveMs: 1_000 * (timeouts?.leave ?? 0),
    },
    /** `hosts` is not empty with `follow`. */
    redirects: defaults.redirects,
    /** 0 turns each of them off. */
    cache: {
      memoryBytes: cache?.memory ?? 67_108_864,
      blobBytes: cache?.blobs ?? 65_536,
      tagTtlMs: 1_000 * (cache?.tagTtl ?? 5),
      contentTtlMs: 1_000 * (cache?.contentTtl ?? 10 * 60),
      staleIfErrorMs: 1_000 * (cache?.staleIfError ?? 0),
    },
    audit: auditTerms(settings.audit),
  };
}

/** Where a problem is reported that no single line causes. */
function whole(input: ConfigInput): string {
  return input.file?.path ?? 'configuration';
}
