/** My account: where somebody is logged in, what is left of their limits, their access tokens. */
import type { z } from 'zod';
import { type OwnLimitView, type OwnSessionView, myAccount } from '../../../operations/my-account.ts';
import type { OwnTokenView, makeToken } from '../../../operations/own-tokens.ts';
import { describeWait } from '../../../policy/rate.ts';
import type { Frame } from '../page.ts';
import { Layout } from './layout.tsx';
import { inWords } from './limit-words.ts';
import { Command, Foreign, When, visible } from './parts.tsx';
import { clientName } from './client-name.ts';
import { TokenFields, type TokenFieldsView } from './token-fields.tsx';

const at = '/ui/me';
/** Logins that are listed, this one first: whoever logs in by a script may have thousands. */
const maxSessions = 50;

type MyAccount = z.output<typeof myAccount.answer>;

/** Everything on one page; what is long is folded. */
export function MyAccountPage({ account, frame }: { readonly account: MyAccount; readonly frame: Frame }) {
  const { sessions, tokens, limits, groups, longestSeconds } = account;
  const others = sessions.filter(({ isThis }) => !isThis);
  const shown = [...sessions.filter(({ isThis }) => isThis), ...others].slice(0, maxSessions);
  return (
    <Layout title="My account" at={at} frame={frame}>
      <h1>{account.account}</h1>
      <p class="note">
        {groups.length === 0
          ? 'In no group.'
          : `In the ${groups.length === 1 ? 'group' : 'groups'} ${visible(groups.join(', '))}.`}
      </p>

      <h2 id="tokens">
        Access tokens <span class="count">{tokens.length}</span>
      </h2>
      <p>
        For scripts, build tools and clients, instead of your password: each may do what you make it for, and can be
        revoked alone. <TokensEnd account={account} />
      </p>
      {tokens.length === 0 ? (
        <p class="note">You have none.</p>
      ) : (
        <ul class="entries">
          {tokens.map((token) => (
            <Token token={token} frame={frame} />
          ))}
        </ul>
      )}
      <details>
        <summary>New access token</summary>
        <TokenForm frame={frame} longestSeconds={longestSeconds} />
      </details>

      <div class="bar">
        <h2>
          Where you are logged in <span class="count">{sessions.length}</span>
        </h2>
        {others.length === 0 ? null : (
          <form method="post" action="/ui/me/end-others">
            <input type="hidden" name="csrf" value={frame.csrf('/ui/me/end-others')} />
            <button>End all others</button>
          </form>
        )}
      </div>
      <ul class="entries">
        {shown.map((session) => (
          <OneSession session={session} frame={frame} />
        ))}
      </ul>
      {sessions.length === shown.length ? null : (
        <p class="note">
          and {(sessions.length - shown.length).toLocaleString('en')} more, which were used less lately.
        </p>
      )}

      <h2>Limits</h2>
      {limits.length === 0 ? (
        <p class="note">No limit of the policy counts what you do.</p>
      ) : (
        <ul class="entries">
          {limits.map((limit) => (
            <OneLimit limit={limit} />
          ))}
        </ul>
      )}
    </Layout>
  );
}

function Token({ token, frame }: { readonly token: OwnTokenView; readonly frame: Frame }) {
  const { id, label, created, expires, lastUsed, address, repositories, actions } = token;
  const isUnused = lastUsed === created;
  return (
    <li>
      <div>
        <b>
          <Foreign text={label} />
        </b>
        <p>
          {actions === undefined ? 'everything you may' : actions.join(', ')}
          {repositories === undefined ? (
            actions === undefined ? (
              ''
            ) : (
              ', wherever you may'
            )
          ) : (
            <>
              {' '}
              in <code>{repositories.join(' ')}</code>
            </>
          )}
        </p>
        <p class="note">
          ends <When at={Date.parse(expires)} now={frame.now} /> · made{' '}
          <When at={Date.parse(created)} now={frame.now} /> ·{' '}
          {isUnused ? (
            'never used'
          ) : (
            <>
              last used <When at={Date.parse(lastUsed)} now={frame.now} />
              {address === undefined ? '' : ` from ${address}`}
            </>
          )}
        </p>
      </div>
      <EndForm path="/ui/me/end-token" id={id} frame={frame} word="Revoke" what={label} />
    </li>
  );
}

/** By what else than their own end, as far as the source of the account lets the gateway know. */
function TokensEnd({ account: { source, recheckSeconds } }: { readonly account: MyAccount }) {
  switch (source) {
    case 'oidc':
      return (
        <>
          They stop working {recheckSeconds === undefined ? 'a while' : describeWait(recheckSeconds)} after your last
          login on this page, and go on after the next.
        </>
      );
    case 'ldap':
      return (
        <>
          All of them end with your account in the directory. A new password ends them only where the directory tells
          when it was set; if you are not sure, revoke them yourself.
        </>
      );
    default:
      return <>All of them end when your password changes.</>;
  }
}

function OneSession({ session, frame }: { readonly session: OwnSessionView; readonly frame: Frame }) {
  const { id, kind, isThis, created, lastUsed, address, userAgent } = session;
  const name = userAgent === undefined ? (kind === 'web' ? 'A browser' : 'A client') : clientName(userAgent);
  return (
    <li>
      <div>
        <b title={userAgent === undefined ? undefined : visible(userAgent)}>
          <Foreign text={name} />
        </b>{' '}
        {isThis ? <span class="badge good">this one</span> : null}
        <p class="note">
          {kind === 'web' ? 'page' : 'docker login'} · {address === undefined ? '' : `${address} · `}logged in{' '}
          <When at={Date.parse(created)} now={frame.now} /> · last used{' '}
          <When at={Date.parse(lastUsed)} now={frame.now} />
        </p>
      </div>
      {isThis ? null : <EndForm path="/ui/me/end" id={id} frame={frame} word="End" what={`the login of ${name}`} />}
    </li>
  );
}

function EndForm(props: {
  readonly path: string;
  readonly id: string;
  readonly frame: Frame;
  readonly word: string;
  readonly what: string;
}) {
  const { path, id, frame, word, what } = props;
  return (
    <form method="post" action={path}>
      <input type="hidden" name="csrf" value={frame.csrf(path)} />
      <input type="hidden" name="id" value={id} />
      <button>
        {word}
        <span class="hidden">
          {' '}
          <Foreign text={what} />
        </span>
      </button>
    </form>
  );
}

function OneLimit({ limit }: { readonly limit: OwnLimitView }) {
  const { name, mode, count, per, rate, burst, remaining, waitSeconds } = limit;
  return (
    <li>
      <div>
        <b>{name}</b>
        {mode === 'shadow' ? <span class="badge">counted, not enforced</span> : null}
        <p class="note">
          {inWords(count, rate)} for each {per}
        </p>
      </div>
      <p class="number">
        {remaining.toLocaleString('en')} of {burst.toLocaleString('en')} left
        {waitSeconds > 0 ? <span class="note block">the next in {describeWait(waitSeconds)}</span> : null}
      </p>
    </li>
  );
}

function TokenForm({ frame, ...fields }: { readonly frame: Frame } & TokenFieldsView) {
  return (
    <form class="fields" method="post" action="/ui/me/tokens">
      <input type="hidden" name="csrf" value={frame.csrf('/ui/me/tokens')} />
      <TokenFields {...fields} />
      <button class="primary">Make the token</button>
    </form>
  );
}

/** The form again, with what was wrong. */
export function TokenRefusedPage(props: { readonly frame: Frame; readonly problem: string } & TokenFieldsView) {
  const { problem, ...form } = props;
  return (
    <Layout title="New access token" at={at} frame={props.frame}>
      <p class="crumbs">
        <a href={at}>My account</a>
      </p>
      <h1>New access token</h1>
      <p class="notice bad" role="alert">
        <Foreign text={problem} whole />
      </p>
      <TokenForm {...form} />
    </Layout>
  );
}

/** The one time that the secret is seen. */
export function TokenMadePage({
  made,
  frame,
}: {
  readonly made: z.output<typeof makeToken.answer>;
  readonly frame: Frame;
}) {
  const { token, secret, login } = made;
  return (
    <Layout title="New access token" at={at} frame={frame}>
      <p class="crumbs">
        <a href={at}>My account</a>
      </p>
      <h1>
        <Foreign text={token.label} />
      </h1>
      <p class="notice warn" role="status">
        This is the only time that you see the token. Keep it where you keep passwords.
      </p>
      <Command label="token" text={secret} />
      <p>
        It ends <When at={Date.parse(token.expires)} now={frame.now} />. To log in with it, paste it into this command
        and press Enter and Ctrl-D:
      </p>
      <Command label="docker" text={login} />
      <p class="note">
        Build tools such as Jib and Maven take <b>{frame.viewer.name}</b> as the user name and the token as the
        password.
      </p>
      <p>
        <a href={at}>Back to my account</a>
      </p>
    </Layout>
  );
}
