/** What somebody who was not let in is told, and by which status. */
import { notWrittenDown } from '../front/written-first.ts';
import { triesLeft } from '../../identity/login-delays.ts';
import type { LoginRefusal } from '../../identity/refusal.ts';
import { describeWait } from '../../policy/rate.ts';
import { heldDetail } from '../front/limit-audit.ts';

export interface LoginProblem {
  readonly status: 401 | 403 | 429 | 503;
  /** A sentence. */
  readonly problem: string;
  /** Seconds. */
  readonly retryAfter?: number;
  /** For the log, as is the rest. */
  readonly reason: string;
  readonly event?: 'login' | 'limit';
  readonly detail?: string | undefined;
}

/** The form belongs to no cookie, or to another one. */
export const formTooOld: LoginProblem = {
  status: 403,
  reason: 'form_token_invalid',
  problem: 'The form was an old one, or the browser takes no cookies. Try again with this one.',
};

/** Access tokens and ID tokens, whatever they are worth: the page is for people. */
export const machineCredentials: LoginProblem = {
  status: 403,
  reason: 'credentials_of_machine',
  problem: 'This is a token. Tokens are for programs such as docker; log in here with your password.',
};

export const sessionNotOpened: LoginProblem = {
  status: 503,
  reason: 'store_unavailable',
  problem: 'Logins cannot be recorded at the moment; try again in a few seconds.',
  retryAfter: 3,
};

export const loginNotWritten: LoginProblem = { ...sessionNotOpened, reason: notWrittenDown.reason };

/** The same for every account and whether or not it exists. `failures`: of this account from this network, known before. */
export function loginProblem(refusal: LoginRefusal, failures: number): LoginProblem {
  const { reason } = refusal;
  switch (reason) {
    case 'login_held': {
      const seconds = Math.max(1, Math.ceil(refusal.waitMs / 1000));
      const problem = `Too many failed logins. Try again in ${describeWait(seconds)}.`;
      return { status: 429, reason, problem, retryAfter: seconds, event: 'limit', detail: heldDetail(refusal) };
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
      return { status: 503, reason, problem, retryAfter: 5, detail: refusal.detail };
    }
    case 'secret_malformed':
    case 'id_token_refused':
      return { ...machineCredentials, reason };
    case 'password_missing':
      return { status: 401, reason, problem: 'The password is missing.' };
    default: {
      const problem = `The user name or the password is wrong. ${outlook(triesLeft(failures + 1))}`;
      return { status: 401, reason, problem, detail: refusal.detail };
    }
  }
}

function outlook(left: number): string {
  if (left === 0) return 'There is a pause before the next try now, and each mistake doubles it.';
  return `${left === 1 ? '1 more try' : `${left} more tries`} before there is a pause.`;
}
