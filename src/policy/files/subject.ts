/** `user:dana`, `group:developers`, `everyone`: subjects as policy files write them. */
import { type Subject, accountKinds } from '../model.ts';

const named = [...accountKinds, 'group'] as const;

/** Text in subject notation, already checked by the schema. */
export function parseSubject(text: string): Subject {
  const colon = text.indexOf(':');
  const kind = colon === -1 ? undefined : named.find((each) => each === text.slice(0, colon));
  if (kind !== undefined) return { kind, name: text.slice(colon + 1) };
  return { kind: text === 'authenticated' || text === 'anonymous' ? text : 'everyone' };
}
