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
        Those of policy files, and of people who are logged in by a directory or a provider. "Last use" comes from
        sessions, secrets, and the last day of this gateway.
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
          <table class="list tags" role="table" aria-label="Accounts">
            <thead role="rowgroup">
              <tr role="row">
                <th role="columnheader" scope="col">
                  Account
                </th>
                <th role="columnheader" scope="col">
                  Groups
                </th>
                <th role="columnheader" scope="col">
                  Logs in by
                </th>
                <th role="columnheader" scope="col">
                  Last use
                </th>
                <th role="columnheader" scope="col">
                  Sessions
                </th>
                <th role="columnheader" scope="col">
                  Secrets
                </th>
              </tr>
            </thead>
            <tbody role="rowgroup">
              {accounts.map((account) => (
                <Row account={account} frame={frame} />
              ))}
            </tbody>
          </table>
        </div>
      )}
      {next === undefined ? null : (
        <p class="pages">
          <span />
          <a href={pageLink('/ui/accounts', { find, after: next })}>More</a>
        </p>
      )}
    </Layout>
  );
}

function Row({ account, frame }: { readonly account: AccountView; readonly frame: Frame }) {
  const { kind, name, groups, disabled, login, lastUsed, sessions, secrets } = account;
  return (
    <tr role="row">
      <th role="rowheader" scope="row">
        <Foreign text={name} />
        {kind === 'user' ? null : <span class="note block">{kind}</span>}
        {disabled ? <span class="badge bad">disabled</span> : null}
      </th>
      <td role="cell">{groups.length === 0 ? '–' : <Foreign text={groups.join(', ')} whole />}</td>
      <td role="cell" data-word="logs in by">
        <Foreign text={login} />
      </td>
      <td role="cell" data-word="last use">
        {lastUsed === undefined ? 'not known' : <When at={Date.parse(lastUsed)} now={frame.now} />}
      </td>
      <td role="cell" data-word="sessions:">
        {sessions} {sessions > 0 && frame.viewer.mayAdminister ? <End name={name} frame={frame} /> : null}
      </td>
      <td role="cell" data-word="secrets:" class={secrets.length === 0 ? undefined : 'wide'}>
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
