/** Policies against the registries behind: rules that no request can meet there, and registries that nobody may use. */
import { type UpstreamNames, type Upstreams, clientName } from '../../distribution/upstreams.ts';
import { type Problem, sortProblems } from '../../document/problem.ts';
import { actionsOf, listed } from '../describe.ts';
import { type Policy, type Rule, type Source, pushes, rights } from '../model.ts';
import type { RepositoryPattern } from '../pattern.ts';
import { registriesOf } from './registries.ts';

interface UpstreamLint {
  /** Codes: read-only-push, unreachable. */
  readonly problems: readonly Problem[];
  /** Codes: unused-upstream, two-names, read-only-gate, no-registry. */
  readonly notes: readonly Problem[];
}

const writes = pushes | rights.promote | rights.delete;

/** A registry, and where it is. */
type Placed = UpstreamNames & { readonly url: string };

/** `placeOf`: where the terms of a registry stand. */
export function lintUpstreams(
  policy: Policy,
  upstreams: Upstreams<Placed>,
  placeOf: (upstream: UpstreamNames) => Source,
): UpstreamLint {
  const { rules, gates, robots } = policy;
  const allowing = rules.filter(({ effect, mode }) => effect === 'allow' && mode === 'enforce');
  const used = new Set(allowing.flatMap((rule) => rule.repositories.flatMap((each) => registriesOf(upstreams, each))));
  const secrets = [...robots.values()].flatMap(({ name, tokens }) => tokens.map((token) => ({ ...token, name })));
  const named: readonly Named[] = [
    ...rules.map(({ name, source, repositories }) => ({ what: `rule "${name}"`, source, repositories })),
    ...gates.map(({ name, source, repositories, from }) => ({
      what: `gate "${name}"`,
      source,
      repositories: [...repositories, ...from],
    })),
    ...secrets.map(({ name, id, source, repositories = [] }) => ({
      what: `the secret ${id} of robot "${name}"`,
      source,
      repositories,
    })),
  ];
  return {
    problems: sortProblems([
      ...allowing.flatMap((rule) => writesInVain(upstreams, rule)),
      ...named.flatMap((each) => misspelt(upstreams, each)),
    ]),
    notes: sortProblems([
      ...upstreams.all.filter((upstream) => !used.has(upstream)).map((upstream) => unused(upstream, placeOf(upstream))),
      ...upstreams.all.flatMap((upstream) => twoNames(upstreams, upstream, placeOf(upstream))),
      ...gates.flatMap(({ name, source, repositories }) => {
        const where = repositories.map((each) => readOnlyAt(upstreams, each));
        const [first] = where;
        if (first === undefined || where.includes(undefined)) return [];
        const message = `gate "${name}" stands where nothing is written: ${registryInWords(first)} is read-only here`;
        return [{ ...source, code: 'read-only-gate', message }];
      }),
      ...named.flatMap((each) => nowhere(upstreams, each)),
    ]),
  };
}

/** What names repositories, in words. */
interface Named {
  readonly what: string;
  readonly source: Source;
  readonly repositories: readonly RepositoryPattern[];
}

/** `registry "hub" (mirror/**)`. */
function registryInWords({ name, prefix }: UpstreamNames): string {
  return `registry "${name}"${prefix === '' ? '' : ` (${prefix}/**)`}`;
}

function unused({ name, prefix }: UpstreamNames, place: Source): Problem {
  const where = prefix === '' ? 'names that no other registry has' : `${prefix}/**`;
  const message = `upstreams.${name}: no rule allows anybody anything in ${where}`;
  return { ...place, code: 'unused-upstream', message, fix: 'add a rule, or remove the registry' };
}

/** What another entry before it reaches as well, by other names: whoever is refused under one may be allowed under the other. */
function twoNames(upstreams: Upstreams<Placed>, upstream: Placed, place: Source): readonly Problem[] {
  const before = upstreams.all.slice(0, upstreams.all.indexOf(upstream));
  return before.flatMap((other) => {
    if (other.url !== upstream.url) return [];
    const sample = ['team/app', 'app'].map((name) => {
      const [deeper] = [upstream.remotePrefix, other.remotePrefix].sort((a, b) => b.length - a.length);
      const remote = deeper === '' ? name : `${deeper}/${name}`;
      return [clientName(upstreams, other, remote), clientName(upstreams, upstream, remote)] as const;
    });
    const both = sample.find(([one, two]) => one !== undefined && two !== undefined);
    if (both === undefined) return [];
    const message = `upstreams.${other.name} and upstreams.${upstream.name} are the same registry: ${both[0]} and ${both[1]} are one repository there, under rules of their own each`;
    return [{ ...place, code: 'two-names', message, fix: 'give them different remotePrefix, or keep one of them' }];
  });
}

/** The one registry that all names of the pattern lead to, where it is read-only. */
function readOnlyAt(upstreams: Upstreams, pattern: RepositoryPattern): UpstreamNames | undefined {
  const [only, ...others] = registriesOf(upstreams, pattern);
  return others.length === 0 && only?.access === 'read' ? only : undefined;
}

function writesInVain(upstreams: Upstreams, rule: Rule): readonly Problem[] {
  const wanted = rule.rights & writes;
  if (wanted === 0) return [];
  const found = rule.repositories.flatMap((pattern) => {
    const upstream = readOnlyAt(upstreams, pattern);
    return upstream === undefined ? [] : [{ pattern, upstream }];
  });
  const [first] = found;
  if (first === undefined) return [];
  const what = `${listed(actionsOf(wanted))} in ${listed(found.map(({ pattern }) => pattern.text))}`;
  const message = `rule "${rule.name}" gives ${what}, which ${registryInWords(first.upstream)} never takes: it is read-only here`;
  const fix = `take these actions out of it, or write access: read-write at upstreams.${first.upstream.name}`;
  return [{ ...rule.source, code: 'read-only-push', message, fix }];
}

/** One segment below the prefix, where that is judged as two. */
function misspelt(upstreams: Upstreams, { what, source, repositories }: Named): readonly Problem[] {
  return repositories.flatMap((pattern) => {
    const [only, ...others] = registriesOf(upstreams, pattern);
    if (only?.library !== true || others.length > 0) return [];
    const depth = only.prefix === '' ? 0 : only.prefix.split('/').length;
    const { segments, text } = pattern;
    if (segments.length !== depth + 1 || segments.some(({ kind }) => kind === 'any-depth')) return [];
    const parts = text.split('/');
    const right = [...parts.slice(0, -1), 'library', parts.at(-1)].join('/');
    const message = `${what} names "${text}", which no request is judged as: ${registryInWords(only)} puts library/ in front of names of one segment`;
    return [{ ...source, code: 'unreachable', message, fix: `write ${right}` }];
  });
}

function nowhere(upstreams: Upstreams, { what, source, repositories }: Named): readonly Problem[] {
  const vain = repositories.filter((pattern) => registriesOf(upstreams, pattern).length === 0);
  if (vain.length === 0) return [];
  const message = `${what} names ${listed(vain.map(({ text }) => text))}, and no registry has names like that`;
  return [{ ...source, code: 'no-registry', message, fix: 'correct it, or add a registry without a prefix' }];
}
