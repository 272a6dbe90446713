/** Accounts that somebody asked for and that are not there. */
import { quote } from '../../document/problem.ts';
import { didYouMean } from '../../document/suggest.ts';
import type { Policy } from '../model.ts';

/** Why an account without sessions cannot have any, if so: whoever mistypes a leaver's name must not think them out. */
export function objectionToAccount(account: string, { users, robots }: Policy): string | undefined {
  if (users.has(account)) return undefined;
  if (robots.has(account)) {
    return `${quote(account)} is a robot and has secrets, not sessions: portcullis token revoke ${account}`;
  }
  return `there is no user ${quote(account)} and no live session of that name${didYouMean(account, users.keys())}`;
}
