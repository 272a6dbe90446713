/** Everybody that the gateway knows, and the secrets that they have. */
import type { AccountList, AccountView } from '../../../operations/answers.ts';
import type { Asked, Frame } from '../page.ts';
import { Layout } from './layout.tsx';
import { pageLink } from './ops-links.ts';
import { Foreign, When } from './parts.tsx';

/** Where the form that ends sessions posts to. */
export const endSessionsPath = '/ui/accounts/end-sessions';

/** A page of them. */
export function AccountsPage({ answer, frame, asked }: { answer: AccountList; frame: Frame; asked: Asked }) {
  const { accounts, total, next } = answer;
  const find = asked.query.get('find') ?? '';
  return (
    <Layout title="Accounts" at="/ui/accounts" frame={frame}>
      <h1>Accounts</h1>
      <p class="note">
        Policy files declare them; people of a source of logins are here while they are logged in. The last use is what
        sessions, secrets and the last day of this gateway tell.
      </p>
      <div class="bar">
        <h2>
          {find === '' ? 'All' : 'Found'} <span class="count">{total.toLocaleString('en')}</span>
        </h2>
        <form method="get" action="/ui/accounts" class="find" role="search">
          <label>
            <span class="hidden">A part of the name, or a group</span>
            <input type="search" name="find" value={find} placeholder="Name or group" />
          </label>
          <button>Find</button>
        </form>
      </div>
      {accounts.length === 0 ? (
        <p class="empty">
          No account has “
          <Foreign text={find} />” in its name, and no group is called so. <a href="/ui/accounts">Show all</a>
        </p>
      ) : (
        <div class="scroll" role="region" aria-label="Accounts" tabindex={0}>
          <table class="list">
            <thead>
              <tr>
                <th scope="col">Account</th>
                <th scope="col">Groups</th>
                <th scope="col">Logs in by</th>
                <th scope="col">Last use</th>
                <th scope="col">Sessions</th>
                <th scope="col">Secrets</th>
              </tr>
            </thead>
            <tbody>
              {accounts.map((account) => (
                <Row account={account} frame={frame} />
              ))}
            </tbody>
          </table>
        </div>
      )}
      <p class="pages">
        <span />
        {next === undefined ? null : <a href={pageLink('/ui/accounts', { find, after: next })}>More</a>}
      </p>
    </Layout>
  );
}

function Row({ account, frame }: { readonly account: AccountView; readonly frame: Frame }) {
  const { kind, name, groups, disabled, login, lastUsed, sessions, secrets } = account;
  return (
    <tr>
      <th scope="row">
        <Foreign text={name} />
        {kind === 'user' ? null : <span class="note block">{kind}</span>}
        {disabled ? <span class="badge bad">disabled</span> : null}
      </th>
      <td>{groups.length === 0 ? '–' : <Foreign text={groups.join(', ')} whole />}</td>
      <td>
        <Foreign text={login} />
      </td>
      <td>{lastUsed === undefined ? 'not known' : <When at={Date.parse(lastUsed)} now={frame.now} />}</td>
      <td>
        {sessions}
        {sessions > 0 && frame.viewer.mayAdminister ? <End name={name} frame={frame} /> : null}
      </td>
      <td>
        {secrets.length === 0 ? '–' : null}
        {secrets.map((secret) => (
          <Secret secret={secret} now={frame.now} />
        ))}
      </td>
    </tr>
  );
}

function End({ name, frame }: { readonly name: string; readonly frame: Frame }) {
  return (
    <form method="post" action={endSessionsPath}>
      <input type="hidden" name="csrf" value={frame.csrf(endSessionsPath)} />
      <input type="hidden" name="account" value={name} />
      <button class="plain" aria-label={`End all sessions of ${name}`}>
        End all
      </button>
    </form>
  );
}

function Secret({ secret, now }: { readonly secret: AccountView['secrets'][number]; readonly now: number }) {
  const { id, label, reach, created, expires, lastUsed, marks } = secret;
  return (
    <div class="secret">
      <code>{id.slice(0, 12)}</code> {label === undefined ? null : <Foreign text={label} />}
      {marks.map((mark) => (
        <span class={mark === 'expired' ? 'badge bad' : 'badge warn'}>{mark}</span>
      ))}
      <span class="note block">
        <Foreign text={reach} />
        {created === undefined ? null : (
          <>
            ; made <When at={Date.parse(created)} now={now} />
          </>
        )}
        {expires === undefined ? null : (
          <>
            ; {Date.parse(expires) > now ? 'expires' : 'expired'} <When at={Date.parse(expires)} now={now} />
          </>
        )}
        ; {lastUsed === undefined ? 'no use known' : 'used '}
        {lastUsed === undefined ? null : <When at={Date.parse(lastUsed)} now={now} />}
      </span>
    </div>
  );
}
