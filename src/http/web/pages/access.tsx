/** Who may do what in one repository, by which rule; why one was refused, and what would change it. */
import type { AccessAnswer } from '../../../operations/access-answers.ts';
import type { Frame } from '../page.ts';
import { Layout } from './layout.tsx';
import { pageLink } from './links.ts';
import { Answer, Foreign, Name, When, visible, visibleLines } from './parts.tsx';
import { type Column, Scroll, Table } from './table.tsx';
import { PlaceLink, Verdict } from './verdict.tsx';

const offered = ['pull', 'push', 'create', 'overwrite', 'delete', 'promote', 'catalog', 'inspect', 'administer'];

/** What stood in the form. */
export interface AccessAsked {
  readonly repository: string;
  readonly tag: string;
  readonly as: string;
  readonly action: string;
}

/** Of a repository and tag as they were understood. */
export function AccessPage(props: {
  readonly answer: AccessAnswer;
  readonly frame: Frame;
  readonly asked: AccessAsked;
}) {
  const { answer, frame } = props;
  const { repository, explained, about, tag, viewer } = answer;
  const asked = { ...props.asked, repository, tag: tag ?? '' };
  return (
    <Layout title="Access" at="/ui/access" frame={frame}>
      <h1>{about === 'everybody' ? 'Who can do what' : 'What you can do'}</h1>
      <Question asked={asked} example={viewer} mayAskOthers={about === 'everybody' || frame.viewer.mayInspect} />
      {about === 'everybody' ? null : (
        <p class="note">
          You see what concerns yourself. Whoever may <code>inspect</code> the repository sees others, and the rules.
        </p>
      )}
      {explained === null ? null : <Verdict explained={explained} answer={answer} frame={frame} />}
      {repository === '' ? (
        <p class="empty">
          Name a repository to see{' '}
          {about === 'everybody' || frame.viewer.mayInspect ? 'who may do what' : 'what you may do'} there.
        </p>
      ) : (
        <>
          <Matrix answer={answer} />
          <Refusals answer={answer} now={frame.now} />
          {about === 'everybody' ? <Rules answer={answer} frame={frame} /> : null}
        </>
      )}
    </Layout>
  );
}

/** What was asked, to be put right, and why there is no answer to it. */
export function NotAnswered(props: { readonly problem: string; readonly frame: Frame; readonly asked: AccessAsked }) {
  const { problem, frame, asked } = props;
  return (
    <Layout title="Access" at="/ui/access" frame={frame}>
      <h1>{frame.viewer.mayInspect ? 'Who can do what' : 'What you can do'}</h1>
      <p class="notice bad" role="alert">
        <Foreign text={problem} whole />
      </p>
      <Question asked={asked} example={null} mayAskOthers={frame.viewer.mayInspect || asked.as !== ''} />
    </Layout>
  );
}

function Question(props: {
  readonly asked: AccessAsked;
  /** Who looks, as one writes it here. */
  readonly example: string | null;
  readonly mayAskOthers: boolean;
}) {
  const { asked, example, mayAskOthers } = props;
  const field = { autocomplete: 'off', spellcheck: false } as const;
  return (
    <form method="get" action="/ui/access" class={mayAskOthers ? 'ask' : 'ask own'}>
      <label>
        Repository <input name="repository" value={asked.repository} required {...field} />
      </label>
      <label>
        Tag <input name="tag" value={asked.tag} {...field} />
      </label>
      {mayAskOthers ? (
        <label>
          Account (optional) <input name="as" value={asked.as} placeholder={example ?? 'user:dana'} {...field} />
        </label>
      ) : null}
      <label>
        Action
        <select name="action">
          <option value="">any</option>
          {asked.action === '' || offered.includes(asked.action) ? null : (
            <option value={asked.action} selected>
              {visible(asked.action)}
            </option>
          )}
          {offered.map((action) => (
            <option value={action} selected={action === asked.action}>
              {action}
            </option>
          ))}
        </select>
      </label>
      <button class="primary">Ask</button>
    </form>
  );
}

function Matrix({ answer }: { readonly answer: AccessAnswer }) {
  const { repository, tag, actions, rows, moreRows, others, about } = answer;
  const place = tag === null ? repository : `${repository}:${tag}`;
  const columnOf = (action: (typeof actions)[number], index: number): Column<Row> => ({
    title: action,
    word: action,
    cell: (row) => {
      const cell = row.cells[index];
      return cell && <CellOf cell={cell} href={cellHref(answer, row, action)} />;
    },
  });
  return (
    <>
      <h2>
        <Name name={place} />
      </h2>
      {rows.length === 0 ? (
        <p class="empty">No rule gives anybody anything here.</p>
      ) : (
        <Scroll name={place}>
          <Table
            name={place}
            class={about === 'yourself' ? 'matrix own' : 'matrix'}
            columns={[{ title: 'Who', cell: (row) => <Who row={row} /> }, ...actions.map(columnOf)]}
            rows={rows}
          />
        </Scroll>
      )}
      {about === 'yourself' ? null : (
        <p class="note">
          {moreRows > 0 ? `${moreRows} more rows are not shown: ask about an account. ` : ''}
          {others === 0
            ? 'Nobody else may do anything here.'
            : `The other ${others} ${others === 1 ? 'account' : 'accounts'} may do nothing here.`}
          {rows.length > 0 ? ' Choose a cell to see why.' : ''}
        </p>
      )}
    </>
  );
}

type Row = AccessAnswer['rows'][number];

interface Wish {
  readonly repository: string;
  readonly tag: string | null;
  readonly as?: string;
  readonly action: string;
}

function answerLink({ repository, tag, as, action }: Wish): string {
  return pageLink('/ui/access', { repository, tag, as, action }, 'answer');
}

/** Of those who log in and are in no group nobody in particular can be asked about. */
function cellHref(
  { repository, tag, about }: AccessAnswer,
  { asked, people }: Row,
  action: string,
): string | undefined {
  const as = asked === 'authenticated' ? people[0] : asked;
  if (about === 'yourself') return answerLink({ repository, tag, action });
  return as === undefined ? undefined : answerLink({ repository, tag, as, action });
}

function Who({ row: { subjects, people, count, from } }: { readonly row: Row }) {
  return (
    <>
      {subjects.map((subject, index) => {
        const [kind = '', ...name] = subject.split(':');
        return (
          <>
            {index === 0 ? '' : <span class="kind"> and </span>}
            {name.length === 0 ? null : <span class="kind">{kind} </span>}
            <span class="name">
              {name.length === 0 ? ({ authenticated: 'everybody who logs in' }[kind] ?? kind) : name.join(':')}
            </span>
          </>
        );
      })}
      {from.length === 0 ? null : <span class="note block">and whoever is in {from.map(visible).join(', ')}</span>}
      {count === 0 ? null : (
        <details>
          <summary>
            {count} {count === 1 ? 'account' : 'accounts'}
          </summary>
          <span class="note">
            {people.join(', ')}
            {count > people.length ? ` and ${count - people.length} more` : ''}
          </span>
        </details>
      )}
    </>
  );
}

function CellOf({
  cell: { answer, rule, note },
  href,
}: {
  readonly cell: Row['cells'][number];
  readonly href: string | undefined;
}) {
  const inner = (
    <>
      <Answer answer={answer} />
      {note === null ? null : (
        <span class="note block">
          <Name name={visible(note)} />
        </span>
      )}
      {rule === null ? null : <span class="rule">{rule}</span>}
    </>
  );
  return href === undefined ? (
    <span class="cell">{inner}</span>
  ) : (
    <a class="cell" href={href}>
      {inner}
    </a>
  );
}

function Refusals({ answer, now }: { readonly answer: AccessAnswer; readonly now: number }) {
  const { refusals, moreRefusals, lately, repository, about } = answer;
  return (
    <>
      <h2>Refused here {lately}</h2>
      {refusals.length === 0 ? (
        <p class="empty">
          {about === 'yourself' ? 'You were not refused here' : 'Nobody was refused'}, as far as this gateway knows.
        </p>
      ) : (
        <ul class="refusals">
          {refusals.map(({ subject, action, target, tag, reason, times, last, client }) => (
            <li>
              <div>
                <strong>
                  <Foreign text={subject} />
                </strong>{' '}
                {action}{' '}
                <code>
                  <Foreign text={target} />
                </code>
                <span class="note block">
                  <Foreign text={reason} />
                </span>
              </div>
              <div class="meta">
                {times}×, last <When at={last} now={now} />
                <span class="note block">
                  <Foreign text={client} />
                </span>
              </div>
              {offered.includes(action) ? (
                <a href={answerLink({ repository, tag, as: subject, action })}>
                  Explain
                  <span class="hidden">
                    {' '}
                    {visible(subject)} {action}
                  </span>
                </a>
              ) : null}
            </li>
          ))}
        </ul>
      )}
      {moreRefusals > 0 ? <p class="note">and {moreRefusals} more kinds of refusals</p> : null}
    </>
  );
}

function Rules({ answer: { rules, lately }, frame }: { readonly answer: AccessAnswer; readonly frame: Frame }) {
  return (
    <>
      <h2>Rules that speak of this repository</h2>
      {rules.length === 0 ? <p class="empty">There is none, so nobody may do anything here.</p> : null}
      <ul class="rules">
        {rules.map(({ name, effect, isShadow, place, text, applies, would }, index) => (
          <li id={`rule-${index}`}>
            <div class="head">
              <span class={`badge ${effect === 'allow' ? 'good' : 'bad'}`}>{effect}</span>
              {isShadow ? <span class="badge warn">shadow</span> : null}
              <strong>{name}</strong>
              {place === null ? null : <PlaceLink place={place} frame={frame} />}
            </div>
            {applies === null ? null : <p class="note">Applies {visible(applies)}.</p>}
            {isShadow ? (
              <p class="note">
                Decides nothing yet; {lately} {would ?? 'it would have changed nothing here'}, as far as this gateway
                knows.
              </p>
            ) : null}
            <pre tabindex={0} aria-label={`Rule ${name}`}>
              <code>{visibleLines(text)}</code>
            </pre>
          </li>
        ))}
      </ul>
    </>
  );
}
