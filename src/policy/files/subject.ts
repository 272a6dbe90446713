/** `user:dana`, `group:developers`, `everyone`: subjects as policy files write them. */
import type { Subject } from '../model.ts';

/** Text in subject notation, already checked by the schema. */
export function parseSubject(text: string): Subject {
  const colon = text.indexOf(':');
  const kind = colon === -1 ? text : text.slice(0, colon);
  const name = text.slice(colon + 1);
  switch (kind) {
    case 'user':
    case 'robot':
    case 'workload':
    case 'group':
      return { kind, name };
    case 'authenticated':
      return { kind };
    case 'anonymous':
      return { kind };
    default:
      return { kind: 'everyone' };
  }
}
