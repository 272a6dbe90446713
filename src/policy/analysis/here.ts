/** One repository looked at: the rules that speak of it, and the policy reduced to them. In steps that hold up nobody. */
import { askedByName } from '../by-name.ts';
import { type CompiledPolicy, compilePolicySteadily } from '../evaluate.ts';
import { type Policy, type Rule, formatSubject } from '../model.ts';
import { type RepositoryPattern, matchesRepository } from '../pattern.ts';
import { type Inquiry, isNear } from './consider.ts';
import { type Explanation, explain } from './explain.ts';
import { type Worlds, without } from './worlds.ts';

/** Lets others work, when it is time for that. */
export type Rest = () => Promise<void>;

export interface Here {
  readonly repository: string;
  readonly compiled: CompiledPolicy;
  /** Rules that speak of it for some account, shadow ones too; by name. */
  readonly rules: readonly Rule[];
  /** With these rules alone, of those in force. */
  readonly reduced: Policy;
  readonly worlds: Worlds;
}

/** Rules looked at between two rests. */
const atOnce = 100;

/** What `compiled` says of one repository. */
export async function lookAt(compiled: CompiledPolicy, repository: string, rest: Rest): Promise<Here> {
  const { policy } = compiled;
  const rules: Rule[] = [];
  for (const [index, rule] of policy.rules.entries()) {
    if (speaksOf(rule, repository)) rules.push(rule);
    if (index % atOnce === atOnce - 1) await rest();
  }
  rules.sort((left, right) => (left.name < right.name ? -1 : 1));
  const enforced = rules.filter(({ mode }) => mode === 'enforce');
  const reduced = { ...policy, rules: enforced };
  const world = async (effect: Rule['effect']) => {
    await rest();
    const alone = without(reduced, effect);
    await rest();
    return askedByName(await compilePolicySteadily(alone, rest));
  };
  const aboutThem = new WeakMap<readonly string[], readonly Rule[]>();
  const bySubject = new Map<string, Rule[]>();
  for (const [index, rule] of enforced.entries()) {
    if (index % atOnce === atOnce - 1) await rest();
    for (const subject of rule.subjects.map(formatSubject)) {
      const known = bySubject.get(subject);
      if (known === undefined) bySubject.set(subject, [rule]);
      else known.push(rule);
    }
  }
  return {
    repository,
    compiled,
    rules,
    reduced,
    worlds: {
      about(subjects) {
        const known = aboutThem.get(subjects);
        if (known !== undefined) return known;
        const found = [...new Set(subjects.flatMap((subject) => bySubject.get(subject) ?? []))];
        aboutThem.set(subjects, found);
        return found;
      },
      rules: new Map(enforced.map((rule) => [rule.name, rule])),
      now: askedByName(compiled),
      always: await world('allow'),
      sometimes: await world('deny'),
    },
  };
}

const anyonesPatterns = new WeakMap<RepositoryPattern, RepositoryPattern>();

/** The pattern, whatever `${account}` stands for. */
function ofAnyone(pattern: RepositoryPattern): RepositoryPattern {
  if (!pattern.text.includes('${account}')) return pattern;
  const known = anyonesPatterns.get(pattern);
  if (known !== undefined) return known;
  const segments = pattern.segments.map((segment) =>
    segment.kind === 'pieces'
      ? { ...segment, pieces: segment.pieces.map((piece) => (piece === 'account' ? ('star' as const) : piece)) }
      : segment,
  );
  const found = { ...pattern, segments };
  anyonesPatterns.set(pattern, found);
  return found;
}

/** Whether the rule is about the repository, for one account at least. */
export function speaksOf({ repositories }: Pick<Rule, 'repositories'>, repository: string): boolean {
  return repositories.some((pattern) => matchesRepository(ofAnyone(pattern), repository, undefined));
}

/** What is asked, explained by the rules that decide or nearly do: the others could change nothing. */
export async function explainHere(compiled: CompiledPolicy, inquiry: Inquiry, rest: Rest): Promise<Explanation> {
  const byName = askedByName(compiled);
  const { policy } = compiled;
  const subjects = byName.subjectsOf(inquiry.principal) ?? [];
  const rules: Rule[] = [];
  for (const [index, rule] of policy.rules.entries()) {
    if (isNear(rule, inquiry, subjects)) rules.push(rule);
    if (index % atOnce === atOnce - 1) await rest();
  }
  return explain({ ...byName, policy: { ...policy, rules } }, inquiry);
}
