/** What an edit would have done to one matter: lost, gained, the same, or nobody can say. */
import { type Answer, answerTo, hangsOnGroups, placesOf } from './answer.ts';
import { gatesHere, limitsHere, rulesHere } from './likeness.ts';
import type { Matter, Unsure } from './matters.ts';
import type { Recorded, Whom } from './recorded.ts';
import type { Judge, Standing } from './standing.ts';

export interface Policies {
  readonly next: Judge;
  /** Revision of that policy, as records name it. */
  readonly revision: string;
  /** Absent: what was recorded is what it is compared with. */
  readonly base: Judge | undefined;
  /** Milliseconds: everything is judged as if it came now. */
  readonly at: number | undefined;
}

/** What one side came to. `gate`: its name, where it refused; `recorded`: as the record says it. */
export interface Side {
  readonly answer: Answer | undefined;
  readonly gate?: string | undefined;
}

export type Comparison =
  | { readonly kind: 'same'; readonly next: Side }
  | { readonly kind: 'lost' | 'gained'; readonly next: Side; readonly was: Side }
  | { readonly kind: 'unsure'; readonly about: Unsure }
  /** The record says nothing of it. */
  | { readonly kind: 'silent' };

type Final = 'allowed' | 'denied' | { readonly unsure: Unsure };

/** Never a guess: where the registry of then would have to be asked, it is `unsure`. */
export function compare(policies: Policies, record: Recorded, who: Whom, matter: Matter): Comparison {
  const { next, base, at, revision } = policies;
  if (base === undefined && matter.was === undefined) return { kind: 'silent' };
  const isOwn = base === undefined && at === undefined && record.policy === revision;
  const [young, old] = [standing(next, who), base && standing(base, who)];
  const answer = answerTo(next, record, who, matter, at);
  if (!isOwn && young !== undefined && hangsOnGroups(young, matter)) return { kind: 'unsure', about: 'groups' };
  const before = base && answerTo(base, record, who, matter, at);
  const gates = gatesOf(matter, young, old, { record, isOwn });
  const now = finalOf(answer, gates.next);
  const then = before === undefined ? recordedAs(matter) : finalOf(before, gates.base);
  if (typeof now === 'object' || typeof then === 'object') {
    if (isOwn || isAlike(matter, young, old, gates.isAlike)) return { kind: 'same', next: { answer } };
    const known = typeof now === 'object' ? now : then;
    return { kind: 'unsure', about: typeof known === 'object' ? known.unsure : 'gate' };
  }
  if (now === then) {
    const isLimited = now === 'allowed' && !isLimitedAlike(record, matter, young, old);
    return isLimited ? { kind: 'unsure', about: 'limit' } : { kind: 'same', next: { answer } };
  }
  // Whoever was held back by a limit asks again later, and that has a record of its own.
  if (matter.was === 'limit') return { kind: 'unsure', about: 'limit' };
  const refused = (side: Final, gate: string | undefined): string | undefined => (side === 'denied' ? gate : undefined);
  return {
    kind: now === 'denied' ? 'lost' : 'gained',
    next: { answer, gate: answer.kind === 'allowed' ? refused(now, gates.next.name) : undefined },
    was: { answer: before, gate: before?.kind === 'allowed' ? refused(then, gates.base.name) : undefined },
  };
}

/** Whether an account that could not log in then may now: whether its password was right, nobody looked. */
export function mayLogIn({ next, base, at, revision }: Policies, record: Recorded): boolean {
  const { event, reason, account = '', policy } = record;
  const isRefused = event === 'login' && (reason === 'account_unknown' || reason === 'account_disabled');
  if (!isRefused || (base === undefined && at === undefined && policy === revision)) return false;
  return next.knows(account) && base?.knows(account) !== true;
}

function standing(judge: Judge, who: Whom): Standing | undefined {
  const found = judge.find(who);
  return 'policy' in found ? found : undefined;
}

function recordedAs({ was }: Matter): Final {
  return was === 'denied' || was === 'gate' ? 'denied' : 'allowed';
}

interface Passed {
  readonly outcome: 'passed' | 'refused' | 'unknown';
  readonly name?: string | undefined;
}

const passed: Passed = { outcome: 'passed' };

function finalOf(answer: Answer, gate: Passed): Final {
  if (answer.kind === 'unsure') return { unsure: answer.about };
  if (answer.kind === 'denied' || gate.outcome === 'passed') return answer.kind;
  return gate.outcome === 'refused' ? 'denied' : { unsure: 'gate' };
}

/**
 * What gates make of the same image. They were asked where the rules allowed it; one that asks for the same as then says the
 * same, and with fewer of them what passed passes.
 */
function gatesOf(
  matter: Matter,
  young: Standing | undefined,
  old: Standing | undefined,
  { record, isOwn }: { readonly record: Recorded; readonly isOwn: boolean },
): { readonly next: Passed; readonly base: Passed; readonly isAlike: boolean } {
  const isWrite = (matter.verb === 'push' && matter.isImage) || matter.verb === 'promote';
  if (!isWrite) return { next: passed, base: passed, isAlike: true };
  const tags = matter.verb === 'promote' ? [matter.tag] : matter.tags;
  const [now, then] = [young, old].map((each) => each && gatesHere(each, matter.repository, tags));
  const recorded: Passed = {
    outcome:
      matter.was === 'allowed' && record.reason !== 'gate_unknown'
        ? 'passed'
        : matter.was === 'gate'
          ? 'refused'
          : 'unknown',
    name: record.gate,
  };
  const base = then?.size === 0 ? passed : recorded;
  if (now === undefined || now.size === 0)
    return { next: passed, base, isAlike: then === undefined || then.size === 0 };
  const asks = [...now.keys()];
  const isAlike = then?.size === now.size && asks.every((ask) => then.has(ask));
  if (isAlike || isOwn) return { next: recorded, base, isAlike };
  if (then === undefined) return { next: { outcome: 'unknown' }, base, isAlike };
  if (base.outcome === 'passed' && asks.every((ask) => then.has(ask))) return { next: passed, base, isAlike };
  const stays = asks.some((ask) => then.get(ask) === record.gate);
  return { next: base.outcome === 'refused' && stays ? recorded : { outcome: 'unknown' }, base, isAlike };
}

/** Whether both policies say the same to them there, whatever the registry had. */
function isAlike(
  matter: Matter,
  young: Standing | undefined,
  old: Standing | undefined,
  isGatedAlike: boolean,
): boolean {
  if (young === undefined || old === undefined || !isGatedAlike) return false;
  const places = placesOf(matter);
  return places.length > 0 && places.every((place) => rulesHere(young, place) === rulesHere(old, place));
}

function isLimitedAlike(
  record: Recorded,
  matter: Matter,
  young: Standing | undefined,
  old: Standing | undefined,
): boolean {
  if (young === undefined || old === undefined) return true;
  const counted = countedAs(record, matter);
  return counted === undefined || limitsHere(young, counted) === limitsHere(old, counted);
}

/** Looking whether a manifest is there is free, and so are blobs. */
function countedAs({ route, httpMethod }: Recorded, matter: Matter): 'pull' | 'push' | 'token' | undefined {
  if (matter.verb === 'login') return 'token';
  if (matter.verb === 'promote' || (matter.verb === 'push' && matter.isImage)) return 'push';
  return matter.verb === 'pull' && route === 'manifest' && httpMethod === 'GET' ? 'pull' : undefined;
}
