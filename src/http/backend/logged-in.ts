/** Requests to the registry itself with the gateway's own login there. What follows a redirect never comes here. */
import type { IncomingMessage } from 'node:http';
import type { Authorization, LoginFailure, UpstreamLogin } from '../../ports.ts';

/** What is known of an answer before its content. */
export type AnswerHead = Pick<IncomingMessage, 'statusCode' | 'headers'>;

export interface Sending<Answer> {
  readonly login: UpstreamLogin;
  /** Of the request, in the registry's names. */
  readonly scope: string;
  /** With this value of `Authorization`, if any. */
  readonly send: (authorization: string | undefined) => Promise<Answer>;
  /** undefined where nothing was answered. */
  readonly headOf: (answer: Answer) => AnswerHead | undefined;
  /** Whether all of the request can go out a second time. Asked when it was refused. */
  readonly mayRepeat: () => boolean;
}

/**
 * The registry's answer to a request with what it asks for, sent once more where it wants something newer. A refusal that
 * nothing can be done about is a failure; 401 from a registry for which there is no login is an answer.
 */
export async function loggedIn<Answer>(sending: Sending<Answer>): Promise<Answer | LoginFailure> {
  const { login, scope, mayRepeat } = sending;
  const used = await login.authorize(scope);
  if (!used.ok) return used;
  const first = await attempt(sending, used);
  if (first.refused !== 'again') return first.refused ?? first.answer;
  if (!mayRepeat()) return failed('it wants another login in the middle of a request; the next one has it');
  const newer = await login.authorize(scope);
  if (!newer.ok) return newer;
  const second = await attempt(sending, newer);
  return second.refused === 'again' ? failed('it wants another login each time') : (second.refused ?? second.answer);
}

async function attempt<Answer>(
  { login, scope, send, headOf }: Sending<Answer>,
  used: Authorization,
): Promise<{ readonly answer: Answer; readonly refused?: 'again' | LoginFailure }> {
  const answer = await send(used.header);
  const { statusCode, headers } = headOf(answer) ?? {};
  if (statusCode === 403 && used.header !== undefined) return { answer, refused: failed(forbidden(scope)) };
  if (statusCode !== 401) return { answer };
  const refused = await login.refused(scope, used, headers?.['www-authenticate']);
  return refused === 'guarded' ? { answer } : { answer, refused };
}

function forbidden(scope: string): string {
  return scope === '' ? 'its credentials are refused (403)' : `it forbids ${scope} to the gateway's account (403)`;
}

function failed(detail: string): LoginFailure {
  return { ok: false, reason: 'login_failed', detail };
}
