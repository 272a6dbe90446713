/** What a lint says of a rule or a limit. */
import type { Problem } from '../../document/problem.ts';
import type { Limit, Rule } from '../model.ts';

/** For messages. */
export function kindOf(about: Rule | Limit): 'rule' | 'limit' {
  return 'rate' in about ? 'limit' : 'rule';
}

/** Where the rule or limit stands, beginning with its name. */
export function finding(about: Rule | Limit, code: string, message: string, fix?: string): Problem {
  return { ...about.source, code, message: `${kindOf(about)} "${about.name}" ${message}`, fix };
}
