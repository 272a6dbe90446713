/** One image: everything about it that the registry and this gateway know. */
import { maxQuery } from '../../../operations/finding.ts';
import type { ImageAnswer, PlatformView } from '../../../operations/image.ts';
import type { Frame } from '../page.ts';
import { loginLine, pullLines } from './commands.ts';
import { Layout } from './layout.tsx';
import { deleteLink, repositoryLink } from './links.ts';
import { Foreign, Name, When, size } from './parts.tsx';
import { Fact, Platform, Texts } from './platform.tsx';
import { Commands, Crumbs, Digest, Known, Pushed } from './registry-parts.tsx';
import { type Column, Table } from './table.tsx';
import { typeInWords } from './tag-table.tsx';

interface View {
  readonly answer: ImageAnswer;
  readonly frame: Frame;
}

/** Platforms that are shown whole on one page; of more there is a list. */
const maxWhole = 3;
/** Tags of the same image that are named. */
const maxCalled = 50;

/** By its tag, or by its digest alone. */
export function ImagePage({ answer, frame }: View) {
  const { repository, tag, digest, platforms } = answer;
  const tail = tag === undefined ? `@${digest.slice(0, 19)}` : `:${tag}`;
  const isIndex = platforms.length > 1 || platforms.some((each) => each.digest !== digest);
  return (
    <Layout title={`${repository}${tail}`} at="/ui/" frame={frame}>
      <Known stale={answer.stale} now={frame.now} />
      <Crumbs repository={repository} isImage />
      <h1>
        <Name name={repository} tail={tail} />
        {answer.immutable ? <span class="badge">immutable</span> : null}
      </h1>
      <HowTo answer={answer} frame={frame} />
      <Facts answer={answer} frame={frame} />
      {isIndex ? <Index platforms={platforms} repository={repository} now={frame.now} /> : null}
      {platforms.length > maxWhole
        ? null
        : platforms.map((each) => <Platform platform={each} isPart={isIndex} now={frame.now} />)}
      <Texts title="Annotations" texts={answer.annotations} />
      <Attached answer={answer} />
      <History answer={answer} now={frame.now} />
      {tag !== undefined && answer.mayDelete ? (
        <p>
          <a class="button" href={deleteLink(repository, tag)}>
            Delete {tag}…
          </a>
        </p>
      ) : null}
    </Layout>
  );
}

function HowTo({ answer: { repository, tag, digest, type }, frame }: View) {
  const [pull, ...others] = pullLines(frame, { repository, tag, digest, type });
  const [exact] = pullLines(frame, { repository, digest, type });
  const first = tag === undefined ? [pull] : [pull, { ...exact, label: 'Pull by digest' }];
  return <Commands first={first} others={[loginLine(frame, frame.viewer.name), ...others]} />;
}

function Facts({ answer, frame: { now } }: View) {
  const { repository, digest, mediaType, type, sameAs, subject, lastPull, history, tag } = answer;
  return (
    <dl class="facts">
      <Fact name="Digest">
        <code class="whole">{digest}</code>
      </Fact>
      {type === undefined ? null : (
        <Fact name="Is">
          <Foreign text={typeInWords(type)} />
        </Fact>
      )}
      <Fact name="Media type">
        <Foreign text={mediaType} />
      </Fact>
      {answer.size === undefined ? null : <Fact name="Size">{size(answer.size)}</Fact>}
      {sameAs.length === 0 ? null : (
        <Fact name="Also called">
          {sameAs.slice(0, maxCalled).map((each) => (
            <a class="item" href={repositoryLink(repository, { tag: each })}>
              {each}
            </a>
          ))}
          {sameAs.length > maxCalled ? (
            <a href={repositoryLink(repository, { q: digest.slice(0, maxQuery) })}>
              and {sameAs.length - maxCalled} more
            </a>
          ) : null}
        </Fact>
      )}
      {subject === undefined ? null : (
        <Fact name="Attached to">
          <a href={repositoryLink(repository, { digest: subject })}>
            <Foreign text={subject} />
          </a>
        </Fact>
      )}
      {tag === undefined ? null : (
        <Fact name="Pushed">
          <Pushed pushed={history[0]?.digest === digest ? history[0] : undefined} now={now} />
        </Fact>
      )}
      {lastPull === undefined ? null : (
        <Fact name="Last pull">
          <When at={Date.parse(lastPull)} now={now} />
        </Fact>
      )}
      {answer.partial ? (
        <Fact name="Note">Not all of it was read yet; load the page again to see the rest.</Fact>
      ) : null}
    </dl>
  );
}

interface Several {
  readonly platforms: readonly PlatformView[];
  readonly repository: string;
  readonly now: number;
}

const platformColumns = (repository: string, now: number): readonly Column<PlatformView>[] => [
  {
    title: 'Platform',
    cell: ({ name, digest }) => (
      <a href={repositoryLink(repository, { digest })}>
        <Foreign text={name ?? 'does not say'} />
      </a>
    ),
  },
  { title: 'Digest', cell: ({ digest }) => <Digest digest={digest} /> },
  { title: 'Size', class: 'number', cell: ({ size: bytes }) => (bytes === undefined ? null : size(bytes)) },
  {
    title: 'Created',
    word: 'created',
    cell: ({ created }) => (created === undefined ? null : <When at={Date.parse(created)} now={now} />),
  },
];

/** Each platform with a page of its own. */
function Index({ platforms, repository, now }: Several) {
  return (
    <>
      <h2>
        Platforms <span class="count">{platforms.length}</span>
      </h2>
      <Table name="Platforms" columns={platformColumns(repository, now)} rows={platforms} />
    </>
  );
}

const kinds = { signature: 'Signature', SBOM: 'SBOM', attestation: 'Attestation', other: 'Other' } as const;

function Attached({ answer: { attached, repository } }: Pick<View, 'answer'>) {
  if (attached.length === 0) return null;
  return (
    <>
      <h2 id="attached">
        Attached<span class="count">, not verified</span>
      </h2>
      <ul class="plain-list">
        {attached.map(({ kind, type, digest, tag }) => (
          <li>
            <b>{kinds[kind]}</b>{' '}
            <span class="note">
              <Foreign text={type} />
            </span>{' '}
            {digest === undefined ? null : (
              <a href={repositoryLink(repository, { digest })}>
                <Digest digest={digest} />
              </a>
            )}
            {tag === undefined ? null : (
              <a href={repositoryLink(repository, { tag })}>
                <code>{tag.slice(0, 19)}…</code>
              </a>
            )}
          </li>
        ))}
      </ul>
    </>
  );
}

function History({
  answer: { tag, history, repository },
  now,
}: {
  readonly answer: ImageAnswer;
  readonly now: number;
}) {
  if (tag === undefined || history.length === 0) return null;
  return (
    <>
      <h2>History of {tag}</h2>
      <ul class="plain-list">
        {history.map(({ digest, at, by }) => (
          <li>
            <a href={repositoryLink(repository, { digest })}>
              <Digest digest={digest} />
            </a>{' '}
            <span class="note">
              pushed <When at={Date.parse(at)} now={now} />
              {by === undefined ? null : (
                <>
                  {' '}
                  by <Foreign text={by === '' ? 'anonymous' : by} />
                </>
              )}
            </span>
          </li>
        ))}
      </ul>
    </>
  );
}
