/** Questions about a policy as they are typed: who, what, where, when; and what all answers to them say alike. */
import { isIP } from 'node:net';
import { parseTag } from '../distribution/reference.ts';
import { quote } from '../document/problem.ts';
import type { Circumstances } from '../policy/conditions.ts';
import { parseInstant } from '../time.ts';
import type { GateAbout } from '../policy/analysis/gates-about.ts';
import { type Misunderstood } from '../policy/analysis/asked.ts';
import { type Policy, actions, formatSubject } from '../policy/model.ts';
import { type RepositoryPattern, parseRepositoryPattern } from '../policy/pattern.ts';
import type { SecretReach } from '../policy/secret-reach.ts';
import type { Place } from './behind.ts';
import { placeInJson } from './report.ts';

export {
  type Misunderstood,
  describeAsked,
  describeReach,
  parseAction,
  parseTarget,
  parseWho,
} from '../policy/analysis/asked.ts';

/** `pull, push, … or promote`, for help. */
export const actionsInWords = `${actions.slice(0, -1).join(', ')} or ${actions.at(-1) ?? ''}`;

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
