/** Entries of `tests:`: who asks, from where and when, and what the policy should say. */
import { parseRepositoryName, parseTag } from '../../distribution/reference.ts';
import { isNetwork } from '../conditions.ts';
import type { Action, Expectation, PolicyTest } from '../model.ts';
import type { Place } from './place.ts';
import type { TestEntry } from './schema.ts';
import { parseSubject } from './subject.ts';

type Asking = Pick<PolicyTest, 'principal' | 'address' | 'at'>;

/** undefined when nobody asks in it. */
export function readTest(place: Place, entry: TestEntry): PolicyTest | undefined {
  const asking = readAsking(place.at('as'), entry.as);
  const expectations = [
    ...readExpectations(place.at('allow'), entry.allow ?? [], true),
    ...readExpectations(place.at('deny'), entry.deny ?? [], false),
  ];
  if (expectations.length === 0) place.problem('empty-test', 'a test needs `allow` or `deny`');
  return asking && { name: entry.name, ...asking, expectations, source: place.key() };
}

function readAsking(place: Place, as: TestEntry['as']): Asking | undefined {
  if (typeof as === 'string') {
    const subject = place.refer(parseSubject(as));
    if (subject.kind !== 'everyone' && subject.kind !== 'authenticated') return { principal: subject };
    place.problem('invalid-value', 'a test asks for somebody: user:NAME, robot:NAME, group:NAME or anonymous');
    return undefined;
  }
  const kinds = (['user', 'robot', 'workload', 'group'] as const).filter((kind) => as[kind] !== undefined);
  const [kind] = kinds;
  const name = kind === undefined ? undefined : as[kind];
  if (kinds.length + (as.anonymous === undefined ? 0 : 1) !== 1) {
    place.problem('invalid-value', 'expected exactly one of user, robot, workload, group, anonymous');
    return undefined;
  }
  const { address } = as;
  if (address !== undefined && (!isNetwork(address) || address.includes('/'))) {
    place.at('address').problem('invalid-value', `"${address}" is not an address`);
  }
  const at = as.at === undefined ? undefined : place.at('at').instant(as.at);
  return {
    principal: kind === undefined || name === undefined ? { kind: 'anonymous' } : place.at(kind).refer({ kind, name }),
    address,
    at,
  };
}

function readExpectations(place: Place, texts: readonly string[], allowed: boolean): readonly Expectation[] {
  return texts.flatMap((text, index) => {
    const question = parseQuestion(text);
    if (!('problem' in question)) return [{ ...question, allowed, source: place.at(index).value() }];
    place.at(index).problem('invalid-value', question.problem);
    return [];
  });
}

/** `push sandbox/app:1.0`; the action is already checked by the schema. */
function parseQuestion(
  text: string,
): Pick<Expectation, 'action' | 'repository' | 'tag'> | { readonly problem: string } {
  const [action = '', target = ''] = text.split(/ +/);
  const colon = target.indexOf(':');
  const repository = parseRepositoryName(colon === -1 ? target : target.slice(0, colon));
  if (repository === undefined)
    return { problem: `"${target}" is not a repository name (lower case, as in sandbox/app)` };
  const tag = colon === -1 ? undefined : parseTag(target.slice(colon + 1));
  if (colon !== -1 && tag === undefined) return { problem: `"${target.slice(colon + 1)}" is not a tag` };
  return { action: action as Action, repository, ...(tag === undefined ? {} : { tag }) };
}
