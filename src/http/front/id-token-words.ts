/** Why the ID token of a CI job was not taken: for the job, with what to do, and for the log. */
import type { IdTokenRefusal } from '../../identity/source.ts';
import { describeWait } from '../../policy/rate.ts';
import type { AuditRecord } from '../../ports.ts';

/** Says nothing of workloads to whoever has not proved to have a token of a known issuer. */
const unproved =
  'the token is not accepted as that of a CI job with this name; check the user name, and the issuer and audience of the token';

/** One line of at most 200 characters. What is quoted is the token's own, never what the policy asks for beside the audience. */
export function idTokenSentence(refused: IdTokenRefusal): string {
  switch (refused.reason) {
    case 'id_token_too_long':
      return 'the token is longer than 8 KiB';
    case 'id_token_invalid':
    case 'key_unknown':
    case 'issuer_wrong':
    case 'workload_unknown':
      return unproved;
    case 'audience_wrong':
      return `the CI token is for the audience ${quoted(refused.given[0])}; fetch one for ${quoted(refused.wanted[0])}`;
    case 'claim_wrong': {
      const { workload, claim, given } = refused;
      const is = given === undefined ? 'is missing' : `is ${quoted(given)}`;
      return `the CI token is not that of workload ${quoted(workload)}: its claim ${quoted(claim)} ${is}`;
    }
    case 'workload_ambiguous':
      return `several workloads accept this CI token; log in by name, as ${refused.workloads.slice(0, 2).map(quoted).join(' or ')}`;
    case 'no_workload_matches':
      return 'no workload accepts this CI token; log in with the name of a workload to be told why';
    case 'id_token_expired': {
      const { workload, goodSeconds, hasLifetime } = refused;
      const cure = `fetch it right before the push or set ${hasLifetime ? 'a longer ' : ''}lifetime`;
      return `the CI token of workload ${quoted(workload)} has expired (${describeWait(goodSeconds)} after it was made); ${cure}`;
    }
    case 'id_token_early':
      return `the CI token of workload ${quoted(refused.workload)} is not valid yet; compare the clocks of its issuer and of this gateway`;
  }
}

/** The reason as a word, and what an operator needs to know. */
export function idTokenFacts(refused: IdTokenRefusal): Pick<AuditRecord, 'reason' | 'detail'> {
  const { reason } = refused;
  if ('detail' in refused) return { reason, detail: refused.detail };
  return { reason, detail: idTokenSentence(refused) };
}

function quoted(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length <= 48 ? text : `${text.slice(0, 47)}…`;
}
