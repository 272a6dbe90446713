/** Requests that the gate does not let through, in words that clients print. */
import { type ChallengeReason, type Refused, refusalSentence } from '../../gate/admit.ts';
import { idTokenFacts, idTokenSentence } from '../front/id-token-words.ts';
import { heldDetail } from '../front/limit-audit.ts';
import { challenged, loginHeld, refusal, sourceUnavailable, tooBusy, unusable } from '../front/respond.ts';
import { loginNeeded, passwordMissing, wrongCredentials } from '../front/token-answers.ts';
import { who, why } from './audit-facts.ts';
import type { Outcome } from './outcome.ts';

export interface Asked {
  readonly service: string;
  /** The origin under which this client reaches the gateway. */
  readonly publicUrl: string;
  /** A HEAD of a blob. */
  readonly isLookingForBlob: boolean;
}

/** The whole of an answer, and the event that it is. */
export function refusalOf(admission: Refused, asked: Asked): Outcome {
  switch (admission.kind) {
    case 'busy':
      return {
        answer: tooBusy(admission.isUpload),
        record: { event: 'login', decision: 'error', reason: 'hashing_busy' },
      };
    case 'held': {
      const { account, waitMs } = admission;
      const detail = heldDetail(admission);
      return {
        answer: loginHeld(waitMs),
        record: { event: 'limit', decision: 'deny', reason: 'login_held', account, detail },
      };
    }
    case 'unavailable': {
      const { account, detail } = admission;
      return {
        answer: sourceUnavailable,
        record: { event: 'login', decision: 'error', reason: 'source_unavailable', account, detail },
      };
    }
    case 'id-token': {
      const { access, account, refused } = admission;
      return {
        answer: challenged(asked, access, undefined, idTokenSentence(refused)),
        record: { event: 'login', decision: 'deny', ...who(undefined, account), ...idTokenFacts(refused) },
      };
    }
    case 'challenged': {
      const { reason, access, error, caller, account, decision, detail } = admission;
      const event = account === undefined || reason === 'account_gone' ? 'access' : 'login';
      return {
        answer: challenged(asked, access, error, challengeMessage(reason, asked, detail)),
        record: { event, decision: 'deny', reason, ...who(caller, account), ...why(decision), detail },
      };
    }
    case 'unusable': {
      const { problem, caller } = admission;
      return { answer: unusable(problem), record: { decision: 'deny', reason: problem.reason, ...who(caller) } };
    }
    case 'denied': {
      const { caller, need, decision } = admission;
      const sentence = refusalSentence(caller, need, decision);
      return {
        // Clients that begin a push by asking for a blob go on to a request whose refusal they print.
        answer: refusal('DENIED', sentence, asked.isLookingForBlob ? { status: 404 } : {}),
        record: { decision: 'deny', reason: decision.reason, ...who(caller), ...why(decision) },
      };
    }
  }
}

function challengeMessage(reason: ChallengeReason, asked: Asked, detail?: string): string {
  switch (reason) {
    case 'credentials_missing':
      return 'authentication required';
    case 'credentials_malformed':
      return 'the Authorization header cannot be read';
    case 'token_invalid':
    case 'account_gone':
      return 'the token is not valid';
    case 'token_revoked':
      return 'the login was ended; log in again';
    case 'token_expired':
      return 'the token has expired';
    case 'anonymous_refused':
      return 'not allowed without logging in';
    case 'scope_insufficient':
      return 'the token does not reach this far';
    case 'account_unknown':
    case 'account_disabled':
    case 'account_conflict':
    case 'groups_too_many':
    case 'password_wrong':
    case 'password_too_long':
    case 'secret_misplaced':
    case 'secret_unknown':
      return wrongCredentials;
    case 'login_needed':
      return loginNeeded(asked);
    case 'password_missing':
      return passwordMissing;
    case 'secret_malformed':
      return detail ?? wrongCredentials;
    case 'secret_expired':
      return 'the token has expired; make a new one';
    case 'secret_ended':
      return 'the token has ended; make a new one';
  }
}
