/** Several registries, from what all sources say of them: one over the other, judged together, then with their defaults. */
import type { Problem } from '../document/problem.ts';
import { isLoopback } from '../network/host.ts';
import type { UpstreamSettings } from './upstream-schema.ts';
import { type UpstreamCredentials, type UpstreamDefaults, type UpstreamTerms, soleUpstream } from './upstreams.ts';

type All = Readonly<Record<string, UpstreamSettings>>;

/** A problem where the setting was made; of several that are named, where the first that was made. */
export type ReportAt = (keys: readonly string[], code: string, message: string, fix: string) => Problem;

/** Key by key. */
export function overlayUpstreams(under: All = {}, over: All = {}): All {
  const names = new Set([...Object.keys(under), ...Object.keys(over)]);
  return Object.fromEntries(
    [...names].map((name): readonly [string, UpstreamSettings] => {
      const [below = {}, above = {}] = [own(under, name), own(over, name)];
      return [
        name,
        {
          ...below,
          ...above,
          credentials: { ...below.credentials, ...above.credentials },
          timeouts: { ...below.timeouts, ...above.timeouts },
          redirects: { ...below.redirects, ...above.redirects },
        },
      ];
    }),
  );
}

/** A name like `constructor` is one that every object has. */
function own(all: All, name: string): UpstreamSettings | undefined {
  return Object.hasOwn(all, name) ? all[name] : undefined;
}

/** What is missing, and what cannot be true together. */
export function upstreamProblems(all: All, defaults: UpstreamDefaults, at: ReportAt): readonly Problem[] {
  const entries = Object.entries(all);
  const each = entries.flatMap(([name, settings]) => {
    const report = (keys: readonly string[], code: string, message: string, fix: string): Problem =>
      at(
        [...keys, ''].map((key) => (key === '' ? `upstreams.${name}` : `upstreams.${name}.${key}`)),
        code,
        message,
        fix,
      );
    return [...entryProblems(name, settings, defaults, report), ...credentialProblems(settings, report)];
  });
  return [...prefixClashes(entries, at), ...each];
}

function prefixClashes(entries: readonly (readonly [string, UpstreamSettings])[], at: ReportAt): readonly Problem[] {
  const first = new Map<string, string>();
  return entries.flatMap(([name, { prefix = '' }]) => {
    const other = first.get(prefix);
    if (other === undefined) {
      first.set(prefix, name);
      return [];
    }
    const message =
      prefix === ''
        ? `has no prefix, nor has upstreams.${other}: names that nobody else claims lead to one registry only`
        : `has the prefix ${prefix}, as has upstreams.${other}`;
    return [at([`upstreams.${name}.prefix`, `upstreams.${name}`], 'prefix-clash', message, 'give it one of its own')];
  });
}

function entryProblems(
  name: string,
  { url, ca, library, remotePrefix, redirects }: UpstreamSettings,
  defaults: UpstreamDefaults,
  report: ReportAt,
): readonly Problem[] {
  const problems: Problem[] = [];
  if (url === undefined) {
    const fix = `set upstreams.${name}.url, for example to https://registry.partner.example.com`;
    problems.push(report([], 'missing-key', 'has no url', fix));
  }
  if (ca !== undefined && url?.startsWith('http:') === true) {
    const message = 'names an authority of certificates, and the url is http://: nobody shows a certificate there';
    problems.push(report(['ca'], 'useless-setting', message, 'write https:// there, or remove ca'));
  }
  if (library === true && remotePrefix !== undefined) {
    const message = 'puts library/ in front of names, and remotePrefix puts something else there';
    problems.push(report(['library'], 'settings-clash', message, 'keep one of them'));
  }
  const mode = redirects?.mode ?? defaults.redirects.mode;
  if (mode === 'follow' && redirects?.mode === 'follow' && (redirects.hosts ?? defaults.redirects.hosts).length === 0) {
    const message = 'is follow without hosts: the gateway would fetch whatever a redirect names';
    problems.push(report(['redirects.mode'], 'missing-key', message, `set upstreams.${name}.redirects.hosts`));
  }
  return problems;
}

function credentialProblems({ url, credentials = {} }: UpstreamSettings, report: ReportAt): readonly Problem[] {
  const { username, password, passwordFile, helper } = credentials;
  const given = Object.keys(credentials).map((key) => `credentials.${key}`);
  if (given.length === 0) return [];
  const problems: Problem[] = [];
  const secrets = [password, passwordFile].filter((each) => each !== undefined).length;
  if (helper !== undefined && given.length > 1) {
    const message = 'is set beside username or password: a helper gives both';
    problems.push(report(['credentials.helper'], 'set-twice', message, 'keep the helper, or the account'));
  } else if (secrets > 1) {
    const message = 'and password are both set';
    problems.push(report(['credentials.passwordFile'], 'set-twice', message, 'keep one of them'));
  } else if (helper === undefined && secrets === 0) {
    const message = 'is set without a password';
    problems.push(report(given, 'missing-key', message, 'set passwordFile beside it'));
  } else if (helper === undefined && username === undefined) {
    problems.push(report(given, 'missing-key', 'is set without a username', 'set username beside it'));
  }
  if (url?.startsWith('http:') === true && !isLoopback(new URL(url).hostname)) {
    const message = 'is http:// on another machine: the credentials would cross the network in clear';
    problems.push(report(['url'], 'plain-credentials', message, 'write https://, or remove credentials'));
  }
  return problems;
}

/** Of settings without problems. */
export function upstreamTerms(all: All, defaults: UpstreamDefaults): readonly UpstreamTerms[] {
  return Object.entries(all).map(([name, settings]) => {
    const sole = soleUpstream(settings.url ?? '', defaults);
    const { timeouts = {}, redirects = {} } = settings;
    return {
      name,
      url: sole.url,
      prefix: settings.prefix ?? sole.prefix,
      remotePrefix: settings.remotePrefix ?? sole.remotePrefix,
      access: settings.access ?? sole.access,
      library: settings.library ?? sole.library,
      ca: settings.ca,
      credentials: credentialsOf(settings.credentials ?? {}),
      tokenHosts: settings.tokenHosts ?? [],
      timeouts: {
        connectMs: milliseconds(timeouts.connect) ?? sole.timeouts.connectMs,
        idleMs: milliseconds(timeouts.idle) ?? sole.timeouts.idleMs,
        responseMs: milliseconds(timeouts.response) ?? sole.timeouts.responseMs,
      },
      redirects: { mode: redirects.mode ?? sole.redirects.mode, hosts: redirects.hosts ?? sole.redirects.hosts },
    };
  });
}

function milliseconds(seconds: number | undefined): number | undefined {
  return seconds === undefined ? undefined : seconds * 1_000;
}

function credentialsOf({
  username = '',
  password,
  passwordFile,
  helper,
}: NonNullable<UpstreamSettings['credentials']>): UpstreamCredentials | undefined {
  if (helper !== undefined) return { helper };
  if (password !== undefined) return { username, password };
  return passwordFile === undefined ? undefined : { username, passwordFile };
}
