/** A login as a client does it, with the name and password that were given. */
import { field, parseJson } from '../distribution/json.ts';
import { type Check, type Outcome, fail, ok, skip } from './check.ts';
import { type Context, isFailure } from './context.ts';
import { unanswered } from './front.ts';

export const loginCheck: Check = {
  number: 27,
  name: 'login',
  asks: ({ config }) => [config.publicUrl],
  async run(context) {
    const { login } = context;
    if (login === undefined) return skip('nobody logs in without --as NAME --password-stdin');
    return (await unanswered(context)) ?? logIn(context, login);
  },
};

async function logIn(context: Context, { name, password }: NonNullable<Context['login']>): Promise<Outcome> {
  const { config, web } = context;
  const { service } = config.tokens;
  const basic = `Basic ${Buffer.from(`${name}:${password}`).toString('base64')}`;
  const query = new URLSearchParams({ service }).toString();
  const form = new URLSearchParams({ grant_type: 'password', service, username: name, password }).toString();
  const type = 'application/x-www-form-urlencoded';
  const url = `${config.publicUrl}/token`;
  const replies = [
    { way: 'GET /token', answer: await web.ask(`${url}?${query}`, { headers: { authorization: basic } }) },
    {
      way: 'POST /token',
      answer: await web.ask(url, { method: 'POST', body: form, headers: { 'content-type': type } }),
    },
  ];
  let token = '';
  for (const { way, answer } of replies) {
    if (isFailure(answer)) return fail(`${way} does not answer: ${answer.failed}`, 'see 7 and 10');
    if (answer.status !== 200)
      return fail(
        `${way} answers ${answer.status} to "${name}": ${messageOf(answer.body)}`,
        `portcullis login-test ${name} says why`,
      );
    token = tokenOf(answer.body) ?? token;
  }
  if (config.enforce === 'token') return ok(`"${name}" gets tokens`);
  const entered = await web.ask(`${config.publicUrl}/v2/`, { headers: { authorization: `Bearer ${token}` } });
  if (!isFailure(entered) && entered.status === 200)
    return ok(`"${name}" logs in by GET and POST /token, and is let in`);
  const found = isFailure(entered) ? entered.failed : `status ${entered.status}`;
  return fail(
    `/v2/ does not take the token that /token gave: ${found}`,
    'do all replicas have the same keys and publicUrl? see 19 and 21',
  );
}

function tokenOf(body: string): string | undefined {
  const token = field(parseJson(body), 'token');
  return typeof token === 'string' ? token : undefined;
}

/** Of the answer that registry clients read. */
function messageOf(body: string): string {
  return /"message":"((?:[^"\\]|\\.)*)"/.exec(body)?.[1]?.slice(0, 200) ?? 'no reason given';
}
