/** What people read of a login at a provider that came to nothing. Text of the provider's is text: cut, and nothing in it acts. */
import type { Authentication } from '../../identity/source.ts';
import type { ProvidedRefused, ProviderUnavailable } from '../../ports.ts';
import type { LoginProblem } from './login-words.ts';
import { visible } from './pages/parts.tsx';

/** What the provider is called here, and what it calls somebody. */
export interface Provided {
  readonly label: string;
  readonly name: string;
}

const maxShown = 200;

/** The browser shows no login that it began, or not this one, or one that is over. */
export const notBegunHere: LoginProblem = {
  status: 403,
  reason: 'login_not_begun_here',
  problem:
    'This is no answer to a login that this browser has begun: it was answered before, took longer than ten minutes, or was begun elsewhere. Log in again.',
};

/** `detail` is for the log. */
export function noAnswer(label: string, detail: string): LoginProblem {
  const problem = `${label} cannot be asked at the moment. Try again in a few seconds, or log in with a password if you have one.`;
  return { status: 503, reason: 'source_unavailable', problem, retryAfter: 5, detail };
}

/** What came of the provider's answer. */
export function providerProblem(found: ProvidedRefused | ProviderUnavailable, label: string): LoginProblem {
  const { reason, detail } = found;
  const words = { status: 403, detail } as const;
  switch (reason) {
    case 'unavailable':
      return noAnswer(label, detail);
    case 'declined':
      return { ...words, reason: 'login_declined', problem: `${label} did not log you in: ${shown(detail)}` };
    case 'answer_spent': {
      const problem = `${label} takes this login for one that was used before or took too long. Log in again.`;
      return { ...words, reason: 'login_spent', problem };
    }
    case 'answer_forged': {
      const problem = `What came back is not an answer of ${label} to this login, so nobody was let in. Log in again.`;
      return { ...words, reason: 'login_forged', problem };
    }
    case 'person_unusable':
      return { ...words, reason: 'login_unusable', problem: `${label} did not say who you are: ${shown(detail)}` };
  }
}

/** Somebody whom the provider knows, and who does not get in here all the same. */
export function refusedHere(
  refused: Extract<Authentication, { readonly ok: false }>,
  { label, name }: Provided,
): LoginProblem {
  const { reason } = refused;
  const detail = 'detail' in refused ? refused.detail : undefined;
  const words = { status: 403, reason, detail } as const;
  const called = `"${shown(name.slice(0, 60))}"`;
  switch (reason) {
    case 'source_unavailable': {
      const problem = 'Your login cannot be checked or recorded at the moment. Try again in a few seconds.';
      return { status: 503, reason, detail, problem, retryAfter: 5 };
    }
    case 'account_unknown':
      return { ...words, problem: `${label} calls you ${called}, which cannot be the name of an account here.` };
    case 'account_conflict':
      return { ...words, problem: `${label} calls you ${called}, which is the name of somebody else here.` };
    case 'account_disabled':
      return { ...words, problem: `The account ${called} is disabled here.` };
    case 'groups_too_many':
      return { ...words, problem: `You are in more groups at ${label} than can be taken over. Ask whoever runs this.` };
    default:
      return { ...words, problem: `${label} knows you, and the login was refused here.` };
  }
}

function shown(text: string): string {
  return visible(text.slice(0, maxShown));
}
