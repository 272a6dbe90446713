/** The frame of every page: one skip link, one header, one main. No inline script, no style attribute anywhere (CSP). */
import type { ComponentChildren } from 'preact';
import type { Frame } from '../page.ts';
import { Foreign, visible } from './parts.tsx';

interface Entry {
  readonly href: string;
  readonly label: string;
  readonly for: (viewer: Frame['viewer']) => boolean;
}

const entries: readonly Entry[] = [
  { href: '/ui/', label: 'Repositories', for: () => true },
  { href: '/ui/access', label: 'Access', for: ({ isKnown }) => isKnown },
  { href: '/ui/me', label: 'My account', for: ({ isKnown }) => isKnown },
  { href: '/ui/activity', label: 'Activity', for: ({ isKnown }) => isKnown },
  { href: '/ui/policy', label: 'Policy', for: ({ mayInspectAll }) => mayInspectAll },
  { href: '/ui/limits', label: 'Limits', for: ({ mayInspectAll }) => mayInspectAll },
  { href: '/ui/accounts', label: 'Accounts', for: ({ mayInspectAll }) => mayInspectAll },
  { href: '/ui/health', label: 'Health', for: ({ mayInspectAll }) => mayInspectAll },
];

/** `at`: the entry of the navigation that the page belongs to. */
export function Layout(props: {
  readonly title: string;
  readonly at: string;
  readonly frame: Frame;
  readonly children: ComponentChildren;
}) {
  const { title, at, frame, children } = props;
  const { viewer, host, assets, warning } = frame;
  return (
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <title>{visible(`${title} · ${host}`)}</title>
        <link rel="icon" href={assets['icon.svg']} type="image/svg+xml" />
        <link rel="stylesheet" href={assets['page.css']} />
        <script src={assets['page.js']} defer></script>
      </head>
      <body>
        <a class="skip" href="#main">
          Skip to content
        </a>
        <header class="top">
          <a class="brand" href="/ui/">
            <Sign />
            <span>{host}</span>
          </a>
          <nav aria-label="Main">
            {entries
              .filter((entry) => entry.for(viewer))
              .map(({ href, label }) => (
                <a href={href} aria-current={at === href ? 'page' : undefined}>
                  {label}
                </a>
              ))}
          </nav>
          <Account frame={frame} at={at} />
        </header>
        <main id="main" tabindex={-1}>
          {warning === undefined ? null : (
            <p class="notice bad" role="status">
              <Foreign text={warning} whole /> {viewer.mayInspectAll ? <a href="/ui/policy">See the policy</a> : null}
            </p>
          )}
          {children}
        </main>
        <Footer frame={frame} />
      </body>
    </html>
  );
}

function Sign() {
  return (
    <svg width="22" height="22" viewBox="0 0 24 24" aria-hidden="true">
      <path
        d="M3 21V8l9-5 9 5v13M8 6v15M12 4v17M16 6v15M3 11h18M3 16h18"
        fill="none"
        stroke="currentColor"
        stroke-width="1.8"
      />
    </svg>
  );
}

function Account({ frame, at }: { readonly frame: Frame; readonly at: string }) {
  const { viewer, canLogIn, csrf } = frame;
  if (viewer.isKnown)
    return (
      <form class="who" method="post" action="/ui/logout">
        <input type="hidden" name="csrf" value={csrf('/ui/logout')} />
        <span class="me">
          <span class="hidden">Logged in as </span>
          {viewer.name}
        </span>
        <button class="plain">Log out</button>
      </form>
    );
  return at === '/ui/login' || !canLogIn ? null : (
    <a class="button who" href={`/ui/login?next=${encodeURIComponent(frame.at)}`}>
      Log in
    </a>
  );
}

function Footer({ frame: { viewer, version, revision } }: { readonly frame: Frame }) {
  return (
    <footer>
      <span>Portcullis{viewer.isKnown ? ` ${version}` : ''}</span>
      {viewer.isKnown ? (
        <span>
          policy <code>{revision}</code>
        </span>
      ) : null}
    </footer>
  );
}
