/** Whether two policies say the same to somebody in one place: then they say it whatever the registry had. */
import type { Gate } from '../policy/model.ts';
import { matchesRepository } from '../policy/pattern.ts';
import { isAbout, subjectsOf } from '../policy/principal.ts';
import type { Standing } from './standing.ts';

const remembered = new WeakMap<Standing, Map<string, string>>();
/** Places that are remembered of one account. */
const maxPlaces = 1000;

/** The same text for the same rules, gates and bounds, however they are named and ordered. */
export function rulesHere(standing: Standing, repository: string): string {
  const known = remembered.get(standing) ?? new Map<string, string>();
  if (!remembered.has(standing)) remembered.set(standing, known);
  const before = known.get(repository);
  if (before !== undefined) return before;
  if (known.size >= maxPlaces) known.clear();
  const text = textOf(standing, repository);
  known.set(repository, text);
  return text;
}

function textOf({ policy: { policy }, principal, name, bounds }: Standing, repository: string): string {
  const subjects = subjectsOf(principal);
  const rules = policy.rules
    .filter(
      (rule) =>
        rule.mode === 'enforce' &&
        isAbout(rule, subjects) &&
        rule.repositories.some((pattern) => matchesRepository(pattern, repository, name)),
    )
    .map(({ effect, rights, tags, when }) => JSON.stringify([effect, rights, tags?.map(({ text }) => text), when]));
  return [bounds, ...new Set(rules.sort())].join('\n');
}

/** Enforced gates that a write passes, each as what it asks for. */
export function gatesHere(
  { policy, principal }: Standing,
  repository: string,
  tags: readonly string[],
): ReadonlyMap<string, string> {
  if (policy.policy.gates.length === 0) return noGates;
  const gates = (tags.length === 0 ? [undefined] : tags).flatMap((tag) =>
    policy.gatesOf(principal, repository, tag).map((standing) => ({ ...standing, tag })),
  );
  const enforced = gates.filter(({ gate }) => gate.mode === 'enforce');
  return new Map(enforced.map(({ gate, sources, tag }) => [`${tag ?? ''} ${wantOf(gate, sources)}`, gate.name]));
}

const noGates: ReadonlyMap<string, string> = new Map();

function wantOf({ fromTags, match, attachments }: Gate, sources: readonly string[]): string {
  return JSON.stringify([sources, fromTags?.map(({ text }) => text), match, attachments]);
}

/** The limits that count such a request, each as what it allows. */
export function limitsHere({ policy, principal }: Standing, counted: 'pull' | 'push' | 'token'): string {
  const limits = policy.limitsOf(principal, counted).filter(({ mode }) => mode === 'enforce');
  if (limits.length === 0) return '';
  return limits
    .map(({ per, rate, burst }) => JSON.stringify([per, rate, burst]))
    .sort()
    .join('\n');
}
