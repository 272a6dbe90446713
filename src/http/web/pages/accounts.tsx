/** Everybody that the gateway knows, and the secrets that they have. */
import type { AccountList, AccountView } from '../../../operations/answers.ts';
import type { Asked, Frame } from '../page.ts';
import { Layout } from './layout.tsx';
import { pageLink } from './links.ts';
import { Foreign, When } from './parts.tsx';
import { SearchBar } from './search-bar.tsx';
import { type Column, Scroll, Table, Ways } from './table.tsx';

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
        sessions, secrets, and what this gateway remembers of the last day.
      </p>
      <SearchBar
        title={find === '' ? 'All' : 'Found'}
        count={total}
        action="/ui/accounts"
        field={{ name: 'find', value: find, label: 'A part of the name, or a group', placeholder: 'Name or group' }}
      />
      {accounts.length === 0 ? (
        <p class="empty">
          No account has “
          <Foreign text={find} />” in its name, and no group is called so. <a href="/ui/accounts">Show all</a>
        </p>
      ) : (
        <Scroll name="Accounts">
          <Table name="Accounts" columns={columnsFor(frame)} rows={accounts} />
        </Scroll>
      )}
      <Ways
        on={next === undefined ? undefined : { href: pageLink('/ui/accounts', { find, after: next }), text: 'More' }}
      />
    </Layout>
  );
}

const columnsFor = (frame: Frame): readonly Column<AccountView>[] => [
  {
    title: 'Account',
    cell: ({ kind, name, disabled }) => (
      <>
        <Foreign text={name} />
        {kind === 'user' ? null : <span class="note block">{kind}</span>}
        {disabled ? <span class="badge bad">disabled</span> : null}
      </>
    ),
  },
  {
    title: 'Groups',
    cell: ({ groups }) => (groups.length === 0 ? '–' : <Foreign text={groups.join(', ')} whole />),
  },
  { title: 'Logs in by', word: 'logs in by', cell: ({ login }) => <Foreign text={login} /> },
  {
    title: 'Last use',
    word: 'last use',
    cell: ({ lastUsed }) => (lastUsed === undefined ? 'not known' : <When at={Date.parse(lastUsed)} now={frame.now} />),
  },
  {
    title: 'Sessions',
    word: 'sessions:',
    cell: ({ name, sessions }) => (
      <>
        {sessions} {sessions > 0 && frame.viewer.mayAdminister ? <End name={name} frame={frame} /> : null}
      </>
    ),
  },
  {
    title: 'Secrets',
    word: 'secrets:',
    cellClass: ({ secrets }) => (secrets.length === 0 ? undefined : 'wide'),
    cell: ({ secrets }) =>
      secrets.length === 0 ? '–' : secrets.map((secret) => <Secret secret={secret} now={frame.now} />),
  },
];

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
