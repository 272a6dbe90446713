/** Logging in and out. */
import type { Frame } from '../page.ts';
import { Layout } from './layout.tsx';
import { Command, visible } from './parts.tsx';

export interface LoginView {
  readonly frame: Frame;
  /** Where the browser goes then. */
  readonly next: string;
  /** Of the login form. */
  readonly csrf: string;
  /** Other ways than a password. */
  readonly ways: readonly { readonly path: string; readonly offer: string }[];
  /** What was wrong. */
  readonly problem?: string | undefined;
  /** What nobody did wrong, such as a login that has ended. */
  readonly note?: string | undefined;
  /** As it was typed. */
  readonly account?: string | undefined;
}

/** Where no login is possible it says why. */
export function LoginPage({ frame, next, csrf, ways, problem, note, account }: LoginView) {
  return (
    <Layout title="Log in" at="/ui/login" frame={frame}>
      {frame.canLogIn ? (
        <form class="login" method="post" action="/ui/login">
          <h1>Log in</h1>
          {problem === undefined ? null : (
            <p class="notice bad" role="alert" id="problem">
              {visible(problem)}
            </p>
          )}
          {note === undefined ? null : (
            <p class="notice" role="status">
              {visible(note)}
            </p>
          )}
          <input type="hidden" name="csrf" value={csrf} />
          <input type="hidden" name="next" value={next} />
          <label>
            User name{' '}
            <input
              name="account"
              value={account}
              autocomplete="username"
              autocapitalize="none"
              spellcheck={false}
              required
              aria-describedby={problem === undefined ? undefined : 'problem'}
            />
          </label>
          <label>
            Password <input name="password" type="password" autocomplete="current-password" required />
          </label>
          <button class="primary">Log in</button>
          {ways.map(({ path, offer }) => (
            <a class="button" href={`${path}?next=${encodeURIComponent(next)}`}>
              {offer}
            </a>
          ))}
          <p class="note">
            The account is the one that you use with <code>docker login</code>.
            {ways.length === 0 ? '' : ' Without a password, make an access token under "My account" and use that.'} On
            the command line:
          </p>
          <Command label="docker" text={`docker login ${frame.host}`} />
        </form>
      ) : (
        <>
          <h1>No login here</h1>
          <p>
            This registry is reached by <code>{frame.publicUrl}</code>, without encryption: a password or a cookie could
            be read on its way. Whoever runs it can serve https and set <code>publicUrl</code>.
          </p>
        </>
      )}
    </Layout>
  );
}

/** Whoever is logged in can end that here; everybody else has. */
export function LogoutPage({ frame }: { readonly frame: Frame }) {
  const { viewer } = frame;
  return (
    <Layout title={viewer.isKnown ? 'Log out' : 'Logged out'} at="/ui/logout" frame={frame}>
      <h1>{viewer.isKnown ? 'Log out' : 'You are logged out'}</h1>
      {viewer.isKnown ? (
        <form method="post" action="/ui/logout">
          <p>
            You are logged in as <b>{viewer.name}</b>.
          </p>
          <input type="hidden" name="csrf" value={frame.csrf('/ui/logout')} />
          <button class="primary">Log out</button>
        </form>
      ) : (
        <p>
          <a href="/ui/login">Log in again</a>
        </p>
      )}
    </Layout>
  );
}
