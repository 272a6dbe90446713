/** Who is meant by a subject, beside those whom it names: what everybody in it answers to, and whether two can be one. */
import { type Policy, type Subject, formatSubject } from '../model.ts';
import { accountIn } from '../principal.ts';

/** Groups of an account; of anybody else none. */
export type Membership = (subject: Subject) => readonly string[];

/** As the policy has it. */
export function membership(policy: Policy): Membership {
  return (subject) => {
    if (!('name' in subject)) return [];
    const { kind, name } = subject;
    return kind === 'group' ? [] : (accountIn(policy, { kind, name })?.groups ?? []);
  };
}

/** Subjects that everybody meant by `subject` answers to. */
export function generalisationsOf(subject: Subject, memberOf: Membership): readonly string[] {
  if (subject.kind === 'everyone') return ['everyone'];
  if (!('name' in subject)) return [subject.kind, 'everyone'];
  const groups = memberOf(subject).map((group) => `group:${group}`);
  return [formatSubject(subject), ...groups, 'authenticated', 'everyone'];
}

/** Whether somebody may answer to both; who is in a group may be in another one tomorrow. */
export function canBeOne(one: Subject, another: Subject, memberOf: Membership): boolean {
  if (one.kind === 'everyone' || another.kind === 'everyone') return true;
  if (one.kind === 'anonymous' || another.kind === 'anonymous') return one.kind === another.kind;
  if (one.kind === 'authenticated' || another.kind === 'authenticated') return true;
  if (one.kind === 'group' && another.kind === 'group') return true;
  const generals = (subject: Subject): readonly string[] => generalisationsOf(subject, memberOf);
  return generals(one).includes(formatSubject(another)) || generals(another).includes(formatSubject(one));
}
