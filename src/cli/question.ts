/** Questions about a policy as they are typed: who, what, where, when; and what all answers to them say alike. */
import { isIP } from 'node:net';
import { parseRepositoryName, parseTag } from '../distribution/reference.ts';
import { quote } from '../document/problem.ts';
import { didYouMean } from '../document/suggest.ts';
import type { Circumstances } from '../policy/conditions.ts';
import { type Target, describeTarget } from '../policy/describe.ts';
import { parseInstant } from '../policy/files/instant.ts';
import type { GateAbout } from '../policy/analysis/gates-about.ts';
import {
  type Action,
  type GroupMember,
  type Named,
  type Policy,
  accountKinds,
  actions,
  formatSubject,
  judgesTag,
} from '../policy/model.ts';
import { type RepositoryPattern, parseRepositoryPattern } from '../policy/pattern.ts';
import { type SecretReach, describeSecret } from '../policy/secret-reach.ts';
import type { Place } from './behind.ts';
import { placeInJson } from './report.ts';

/** What is wrong, for a person to read. */
export interface Misunderstood {
  readonly problem: string;
}

/** In words of the command line, or what was probably meant. */
export function parseAction(text: string): Action | Misunderstood {
  const found = actions.find((action) => action === text);
  return found ?? { problem: `${quote(text)} is not an action: ${actions.join(', ')}${didYouMean(text, actions)}` };
}

/** `pull, push, … or promote`, for help. */
export const actionsInWords = `${actions.slice(0, -1).join(', ')} or ${actions.at(-1) ?? ''}`;

/** `sandbox/app` or `sandbox/app:1.0`. */
export function parseTarget(text: string): Target | Misunderstood {
  if (text.includes('@')) {
    const problem = `${quote(text)} names a digest; those are judged by repository, so leave out what begins with "@"`;
    return { problem };
  }
  const host = /^[^/]*:\d+\/(.*)$/s.exec(text)?.[1];
  if (host !== undefined) return { problem: `leave out the address of the registry: ${quote(host)}` };
  const colon = text.indexOf(':');
  const repository = parseRepositoryName(colon === -1 ? text : text.slice(0, colon));
  if (repository === undefined) {
    return {
      problem: `${quote(text)} is not the name of one repository (lower case, no wildcards, as in sandbox/app)`,
    };
  }
  if (colon === -1) return { repository };
  const tag = parseTag(text.slice(colon + 1));
  return tag === undefined ? { problem: `${quote(text.slice(colon + 1))} is not a tag` } : { repository, tag };
}

/** `release/**` or `release/**:v1`: every repository that a pattern with wildcards matches; undefined for a single one. */
export function parseArea(
  text: string,
): { readonly area: RepositoryPattern; readonly tag?: string } | Misunderstood | undefined {
  const [name = '', ...rest] = text.split(':');
  if (!/[*$]/.test(name)) return undefined;
  const area = parseRepositoryPattern(name);
  if ('problem' in area) return { problem: `${quote(name)}: ${area.problem}` };
  if (rest.length === 0) return { area };
  const tag = parseTag(rest.join(':'));
  return tag === undefined ? { problem: `${quote(rest.join(':'))} is not a tag` } : { area, tag };
}

/** For a name that rules know only as the beginning of others, as `release` of `release/**`: what was probably meant. */
export function areaNote({ rules }: Policy, repository: string): string {
  const patterns = rules.flatMap(({ repositories }) => repositories.map(({ text }) => text));
  const below = patterns.find((text) => text.startsWith(`${repository}/`));
  if (below === undefined || patterns.includes(repository)) return '';
  return `note: rules speak of ${below}; ${repository} itself is not in there, ask about one below it: ${repository}/NAME\n`;
}

const kinds = [...accountKinds, 'group'] as const;

/** `user:dana`, `robot:x`, `workload:x`, `group:x` or `anonymous`, of those that the policy declares. */
export function parseWho(policy: Policy, text: string): Named | GroupMember | Misunderstood {
  if (text === 'anonymous') return { kind: 'anonymous' };
  if (text === 'everyone' || text === 'authenticated') {
    return {
      problem: `${text} is many; ask about somebody: user:NAME, robot:NAME, workload:NAME, group:NAME or anonymous`,
    };
  }
  const names = namesOf(policy);
  const [prefix = '', ...rest] = text.split(':');
  const kind = kinds.find((each) => each === prefix);
  if (rest.length === 0 || kind === undefined) return notASubject(names, text, rest.join(':') || text);
  const name = rest.join(':');
  if (names[kind].has(name)) return { kind, name };
  const other = kinds.find((each) => names[each].has(name));
  const alike = [...names[kind].keys()].map((each) => `${kind}:${each}`);
  const hint = other === undefined ? didYouMean(text, alike) : ` — did you mean "${other}:${name}"?`;
  const isMapped = [...policy.groups.values()].some(({ from }) => from !== undefined);
  const outside = kind === 'user' && isMapped ? '; of somebody from outside, explain asks for --groups' : '';
  return { problem: `there is no ${kind} ${quote(name)}${hint}${outside}` };
}

type Names = Readonly<Record<(typeof kinds)[number], ReadonlyMap<string, unknown>>>;

function namesOf({ users, robots, workloads, groups }: Policy): Names {
  return { user: users, robot: robots, workload: workloads, group: groups };
}

function notASubject(names: Names, text: string, name: string): Misunderstood {
  const kind = kinds.find((each) => names[each].has(name));
  const known = [...kinds.flatMap((each) => [...names[each].keys()].map((one) => `${each}:${one}`)), 'anonymous'];
  const hint = kind === undefined ? didYouMean(`user:${name}`, known) : ` — did you mean "${kind}:${name}"?`;
  return {
    problem: `${quote(text)} is not a subject: user:NAME, robot:NAME, workload:NAME, group:NAME or anonymous${hint}`,
  };
}

/** `now` in milliseconds since 1970 where no instant is given. */
export function parseCircumstances(
  { address, at }: { readonly address?: string; readonly at?: string },
  now: number,
): Circumstances | Misunderstood {
  if (address !== undefined && isIP(address) === 0) return { problem: `${quote(address)} is not an IP address` };
  const instant = at === undefined ? now : parseInstant(at);
  if (instant === undefined) {
    return { problem: `${quote(at ?? '')} is not a time; write 2027-01-31 or 2026-12-24T18:00:00Z` };
  }
  return { now: instant, address };
}

/** `push sandbox/app:1.0`, `see sandbox/app in the catalog`: to be read behind "may". */
export function describeAsked(action: Action, target: Target): string {
  if (action === 'catalog') return `see ${target.repository} in the catalog`;
  return `${action} ${judgesTag(action) ? describeTarget(target) : target.repository}`;
}

/** `k3v9x2ma (pull in integration/**, for ever): no, actions: pull do not include push`. */
export function describeReach({ token, allowed, only, why }: SecretReach): string {
  const halves = only === undefined ? 'yes' : only === 'create' ? 'new tags only' : 'existing tags only';
  return `${token.id} (${describeSecret(token)}): ${allowed ? halves : `no, ${why ?? ''}`}`;
}

/** Where the repository is, and how it was asked about where that is another spelling; nothing for a single registry. */
export function placeJson(place: Place | undefined, repository: string, asked: string): object {
  if (place === undefined) return {};
  const { upstream, remote } = place;
  const spelling = repository === asked ? {} : { repository };
  return { upstream: upstream?.name ?? null, remote: remote ?? null, ...spelling };
}

/** As `explain --json` and `access --json` print it; what is absent is null. */
export function secretToJson({ token, allowed, only, why }: SecretReach): unknown {
  return { id: token.id, ...placeInJson(token), allowed, only: only ?? null, why: why ?? null };
}

/** As `explain --json` and `who-can --json` print it; what is absent is null. */
export function gateToJson({ gate, sources, exempted, isOfTags }: GateAbout): unknown {
  const texts = (patterns: readonly { readonly text: string }[] | undefined): readonly string[] | null =>
    patterns?.map(({ text }) => text) ?? null;
  return {
    gate: gate.name,
    mode: gate.mode,
    ...placeInJson(gate),
    stands: exempted === undefined && !isOfTags,
    exempted: exempted ?? null,
    tags: texts(gate.tags),
    from: sources,
    fromTags: texts(gate.fromTags),
    match: gate.match,
    attachments: gate.attachments,
    except: gate.except.map(formatSubject),
  };
}
