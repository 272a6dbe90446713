/** Pieces that the pages of a registry's content have in common. */
import type { RightView } from '../../../operations/my-rights.ts';
import type { Frame } from '../page.ts';
import { type Line } from './commands.ts';
import { pageLink, repositoryLink, whyLink } from './links.ts';
import { Answer, Command, Foreign, When, ago } from './parts.tsx';

interface StaleView {
  readonly reason: 'away' | 'slow';
  readonly since?: string | undefined;
}

/** That what follows is what was known before. */
export function Known({ stale, now }: { readonly stale: StaleView | undefined; readonly now: number }) {
  if (stale === undefined) return null;
  const at = stale.since === undefined ? undefined : Date.parse(stale.since);
  const since =
    at === undefined
      ? 'as far as this gateway knows it'
      : `at ${new Date(at).toISOString().slice(11, 16)} UTC, ${ago(at, now)}`;
  return (
    <p class="notice warn" role="status">
      {stale.reason === 'away' ? (
        <>
          <strong>The registry does not answer.</strong> This is what was known {since}; pulls may fail.
        </>
      ) : (
        <>
          <strong>The registry has not answered everything yet.</strong> Load the page again to see the rest.
        </>
      )}
    </p>
  );
}

/** The way down to a repository; with `tag`, to one of its images. */
export function Crumbs({ repository, isImage = false }: { readonly repository: string; readonly isImage?: boolean }) {
  const segments = repository.split('/');
  const pathTo = (index: number): string => segments.slice(0, index + 1).join('/');
  return (
    <nav class="crumbs" aria-label="Path">
      <a href="/ui/">Repositories</a>
      {segments.slice(0, -1).map((segment, index) => (
        <a href={pageLink('/ui/', { under: pathTo(index) })}>{segment}</a>
      ))}
      {isImage ? <a href={repositoryLink(repository)}>{segments.at(-1)}</a> : null}
    </nav>
  );
}

/** The way on, where not all of it is on this page. */
export function Pages(props: { readonly shown: number; readonly of: number; readonly next: string | undefined }) {
  const { shown, of, next } = props;
  if (next === undefined && shown === of) return null;
  return (
    <nav class="pages" aria-label="Pages">
      <span>
        {shown} of {of.toLocaleString('en')}
      </span>
      {next === undefined ? null : (
        <a class="button" rel="next" href={next}>
          Next
        </a>
      )}
    </nav>
  );
}

/** What I may do here, and the way to why. */
export function Rights({
  rights,
  repository,
  frame: { viewer },
}: {
  readonly rights: readonly RightView[];
  readonly repository: string;
  readonly frame: Frame;
}) {
  return (
    <section class="rights" aria-label="What you may do here">
      <dl>
        {rights.map(({ action, answer, rule, note }) => (
          <div>
            <dt>{action}</dt>
            <dd>
              <Answer answer={answer} />
              {note === undefined ? null : (
                <span class="note">
                  <Foreign text={note} />
                </span>
              )}
              {rule === undefined ? null : viewer.isKnown ? (
                <a class="note" href={whyLink(repository, viewer.name, action)}>
                  <Foreign text={rule} />
                  <span class="hidden">, why {action}</span>
                </a>
              ) : (
                <span class="note">
                  <Foreign text={rule} />
                </span>
              )}
            </dd>
          </div>
        ))}
      </dl>
      {viewer.isKnown ? <a href={whyLink(repository, viewer.name, 'pull')}>Why?</a> : null}
    </section>
  );
}

/** The first one or two in sight, the others behind one click. */
export function Commands({ first, others }: { readonly first: readonly Line[]; readonly others: readonly Line[] }) {
  return (
    <section class="commands" aria-label="Commands">
      {first.map((line) => (
        <Command {...line} />
      ))}
      <details>
        <summary>Log in, other clients</summary>
        {others.map((line) => (
          <Command {...line} />
        ))}
      </details>
    </section>
  );
}

/** Twelve of it to look at, all of it to select. */
export function Digest({ digest }: { readonly digest: string }) {
  return (
    <code class="digest" title={digest}>
      {digest.slice(digest.indexOf(':') + 1).slice(0, 12)}
    </code>
  );
}

/** When and by whom, of what was written through this gateway. */
export function Pushed({
  pushed,
  now,
}: {
  readonly pushed: { readonly at: string; readonly by?: string | undefined } | undefined;
  readonly now: number;
}) {
  if (pushed === undefined) return <span class="note">before this gateway</span>;
  return (
    <>
      <When at={Date.parse(pushed.at)} now={now} />{' '}
      {pushed.by === undefined ? null : (
        <span class="note block">
          by <Foreign text={pushed.by === '' ? 'anonymous' : pushed.by} />
        </span>
      )}
    </>
  );
}
