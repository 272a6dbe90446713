/** What a policy says to one matter of a record; never guessed where it hangs on what the registry had then. */
import { isReferrersTag } from '../distribution/reference.ts';
import type { Circumstances } from '../policy/conditions.ts';
import type { Decision, Question } from '../policy/evaluate.ts';
import type { Rule } from '../policy/model.ts';
import { isExpired } from '../policy/secret-reach.ts';
import { matchesRepository } from '../policy/pattern.ts';
import type { Matter, Unsure, Written } from './matters.ts';
import type { Recorded, Whom } from './recorded.ts';
import type { Judge, Standing } from './standing.ts';

export type Answer =
  | {
      readonly kind: 'allowed' | 'denied';
      /** Of the rules; undefined where they were not asked. */
      readonly decision: Decision | undefined;
      /** In words, where no rule denies it. */
      readonly closed?: string | undefined;
    }
  | { readonly kind: 'unsure'; readonly about: Unsure };

/** By the rules; gates and limits are looked at apart. `at`: then, or one instant for all. */
export function answerTo(judge: Judge, record: Recorded, who: Whom, matter: Matter, at: number | undefined): Answer {
  const found = judge.find(who);
  if ('unsure' in found) return { kind: 'unsure', about: found.unsure };
  if ('closed' in found) return closed(found.closed);
  if (matter.verb === 'login') {
    const objection = judge.objection(who);
    if (objection !== undefined && 'unsure' in objection) return { kind: 'unsure', about: objection.unsure };
    if (objection !== undefined) return closed(objection.closed);
  }
  const ask = (now: number): Answer => {
    if (found.token !== undefined && isExpired(found.token, now))
      return closed(`its secret ${found.token.id} has expired`);
    return byRules(found, matter, { address: record.address, now });
  };
  const answer = ask(at ?? record.began);
  if (at !== undefined || record.began === record.ended || !(judge.isTimed || found.token?.expires !== undefined))
    return answer;
  // The moment of the decision lies in between.
  return ask(record.ended).kind === answer.kind ? answer : { kind: 'unsure', about: 'time' };
}

function closed(why: string): Answer {
  return { kind: 'denied', decision: undefined, closed: why };
}

const loggedIn: Answer = { kind: 'allowed', decision: undefined };

function said(decision: Decision): Answer {
  return { kind: decision.allowed ? 'allowed' : 'denied', decision };
}

type Decide = (question: Omit<Question, 'principal' | 'address' | 'now'>) => Decision;

function byRules({ policy, principal }: Standing, matter: Matter, { address, now }: Circumstances): Answer {
  const decide: Decide = (question) => policy.decide({ address, now, principal, ...question });
  const list = (): Answer => said(policy.mayListCatalog(principal, { address, now }));
  switch (matter.verb) {
    case 'login':
      return loggedIn;
    case 'catalog':
      return list();
    case 'pull': {
      const { repository, tag, isPushers: readWhilePushing } = matter;
      return said(policy.decide({ address, now, principal, action: 'pull', repository, tag, readWhilePushing }));
    }
    case 'mount':
      return said(decide({ action: 'pull', repository: matter.repository, readWhilePushing: true }));
    case 'token': {
      const { repository, action } = matter;
      if (repository === undefined || action === 'catalog') return list();
      return said(decide({ action, repository, readWhilePushing: true, deletes: 'something' }));
    }
    case 'delete': {
      const { repository, tag, isImage } = matter;
      if (!isImage || tag !== undefined) return said(decide({ action: 'delete', repository, tag, deletes: 'layer' }));
      const decision = decide({ action: 'delete', repository, deletes: 'something' });
      const isByTags = decision.allowed && policy.judgesTags({ address, now, principal, action: 'delete', repository });
      return isByTags ? { kind: 'unsure', about: 'tags' } : said(decision);
    }
    case 'push':
      return pushed(decide, matter);
    case 'promote':
      return promoted(decide, matter);
  }
}

function pushed(decide: Decide, matter: Matter & { readonly verb: 'push' }): Answer {
  const { repository, tags, writes } = matter;
  const answers = (tags.length === 0 ? [undefined] : tags).map((tag): Answer => {
    const decision = decide({ action: 'push', repository, tag });
    if (!decision.allowed || tag === undefined) return said(decision);
    const create = decide({ action: 'create', repository, tag });
    const overwrite = decide({ action: 'overwrite', repository, tag });
    if (create.allowed && overwrite.allowed) return said(decision);
    return written(writes, { create, overwrite, either: decision }, isReferrersTag(tag));
  });
  const worst = answers.find(({ kind }) => kind === 'denied') ?? answers.find(({ kind }) => kind === 'unsure');
  return worst ?? answers[0] ?? { kind: 'unsure', about: 'older' };
}

/** Of a tag that may be made or moved, but not both. */
function written(
  writes: Written,
  { create, overwrite, either }: Readonly<Record<'create' | 'overwrite' | 'either', Decision>>,
  isList: boolean,
): Answer {
  switch (writes) {
    case 'create':
      return said(create);
    case 'overwrite':
      // A list of attachments that only grows may be written by who may make it.
      return isList && !overwrite.allowed ? { kind: 'unsure', about: 'tag' } : said(overwrite);
    case 'repeat':
    case 'attach':
      return said(either);
    case 'unknown':
      return { kind: 'unsure', about: 'tag' };
  }
}

function promoted(decide: Decide, matter: Matter & { readonly verb: 'promote' }): Answer {
  const { repository, tag, writes, from } = matter;
  const anyhow = decide({ action: 'promote', repository, tag });
  if (!anyhow.allowed) return said(anyhow);
  const source = decide({ action: 'pull', repository: from.repository, tag: from.tag });
  if (!source.allowed) return said(source);
  if (writes === 'repeat') return said(anyhow);
  const [create, overwrite] = (['create', 'overwrite'] as const).map((each) =>
    decide({ action: 'promote', repository, tag, writes: each }),
  );
  if (create === undefined || overwrite === undefined || (create.allowed && overwrite.allowed)) return said(anyhow);
  if (writes === 'create') return said(create);
  return writes === 'overwrite' ? said(overwrite) : { kind: 'unsure', about: 'tag' };
}

/** Whether some rule or gate about this matter speaks of groups of which nobody can say whether somebody is in. */
export function hangsOnGroups({ policy: { policy }, name, untold }: Standing, matter: Matter): boolean {
  if (untold.size === 0 || matter.verb === 'login') return false;
  const isMeant = ({ subjects, except }: Pick<Rule, 'subjects' | 'except'>): boolean =>
    [...subjects, ...except].some((subject) => subject.kind === 'group' && untold.has(subject.name));
  const places = placesOf(matter);
  const isHere = ({ repositories }: Pick<Rule, 'repositories'>): boolean =>
    places.length === 0 ||
    places.some((place) => repositories.some((pattern) => matchesRepository(pattern, place, name)));
  return (
    policy.rules.some((rule) => isMeant(rule) && isHere(rule)) ||
    policy.gates.some((gate) => isMeant({ subjects: [], except: gate.except }) && isHere(gate))
  );
}

/** The repositories that a matter is about; none for the catalog as a whole. */
export function placesOf(matter: Matter): readonly string[] {
  switch (matter.verb) {
    case 'login':
    case 'catalog':
      return [];
    case 'token':
      return matter.repository === undefined ? [] : [matter.repository];
    case 'promote':
      return [matter.repository, matter.from.repository];
    default:
      return [matter.repository];
  }
}
