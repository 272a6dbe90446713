/** What somebody who was not let in is told, and by which status. */
import { triesLeft } from '../../identity/login-delays.ts';
import type { LoginRefusal } from '../../identity/refusal.ts';
import { describeWait } from '../../policy/rate.ts';

export interface LoginProblem {
  readonly status: 401 | 403 | 429 | 503;
  /** For the log. */
  readonly reason: string;
  /** A sentence. */
  readonly problem: string;
  /** Seconds. */
  readonly retryAfter?: number;
}

/** Access tokens and ID tokens, whatever they are worth: the page is for people. */
export const machineCredentials: LoginProblem = {
  status: 403,
  reason: 'credentials_of_machine',
  problem: 'This is an access token. Tokens are for programs such as docker; log in here with your password.',
};

export const sessionNotOpened: LoginProblem = {
  status: 503,
  reason: 'store_unavailable',
  problem: 'Logins cannot be recorded at the moment; try again in a few seconds.',
  retryAfter: 3,
};

/** The same for every account and whether or not it exists. `failures`: of this account from this network, known before. */
export function loginProblem(refusal: LoginRefusal, failures: number): LoginProblem {
  const { reason } = refusal;
  switch (reason) {
    case 'login_held': {
      const seconds = Math.max(1, Math.ceil(refusal.waitMs / 1000));
      const problem = `Too many failed logins. Try again in ${describeWait(seconds)}.`;
      return { status: 429, reason, problem, retryAfter: seconds };
    }
    case 'hashing_busy':
      return {
        status: 503,
        reason,
        problem: 'Too many logins at the moment; try again in a few seconds.',
        retryAfter: 3,
      };
    case 'source_unavailable': {
      const problem = 'The server that knows this login cannot be asked at the moment; try again in a few seconds.';
      return { status: 503, reason, problem, retryAfter: 5 };
    }
    case 'secret_malformed':
    case 'secret_misplaced':
    case 'secret_unknown':
    case 'secret_expired':
    case 'id_token_refused':
      return { ...machineCredentials, reason };
    case 'password_missing':
      return { status: 401, reason, problem: 'The password is missing.' };
    default:
      return {
        status: 401,
        reason,
        problem: `The user name or the password is wrong. ${outlook(triesLeft(failures + 1))}`,
      };
  }
}

function outlook(left: number): string {
  if (left === 0) return 'Wait before you try again: each mistake from now on doubles the pause.';
  return `${left === 1 ? '1 more try' : `${left} more tries`} before there is a pause.`;
}
