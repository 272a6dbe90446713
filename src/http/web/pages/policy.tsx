/** The policy files, read-only; what is wrong with newer ones, what the last reload changed, and what a reader would object to. */
import type { PolicyAnswer } from '../../../operations/policy-files.ts';
import type { Frame } from '../page.ts';
import { Layout } from './layout.tsx';
import { policyLink } from './links.ts';
import { Foreign, When, visible } from './parts.tsx';
import { Ways } from './table.tsx';

/** The whole page. */
export function PolicyPage({ answer, frame }: { readonly answer: PolicyAnswer; readonly frame: Frame }) {
  const { revision, rules, testsPassed, since, by, problems, shown } = answer;
  return (
    <Layout title="Policy" at="/ui/policy" frame={frame}>
      <h1>Policy</h1>
      <div class="bar first">
        <p>
          {rules} {rules === 1 ? 'rule' : 'rules'}, {testsPassed} test{' '}
          {testsPassed === 1 ? 'expectation' : 'expectations'} passed. Revision <code>{revision.slice(0, 12)}</code>, in
          force since {by === 'start' ? 'the start' : 'the reload'}, <When at={Date.parse(since)} now={frame.now} />.
        </p>
        {frame.viewer.mayAdminister ? (
          <form method="post" action="/ui/policy/reload">
            <input type="hidden" name="csrf" value={frame.csrf('/ui/policy/reload')} />
            <button>Read the files now</button>
          </form>
        ) : null}
      </div>
      {problems.length === 0 ? null : <Problems problems={problems} />}
      <Changes answer={answer} />
      <Findings answer={answer} />
      <Files answer={answer} />
      {shown === null ? null : <File shown={shown} problems={problems} />}
    </Layout>
  );
}

type Found = PolicyAnswer['problems'][number];

function Place({ file, line }: { readonly file: string; readonly line: number }) {
  if (line < 1) return <code>{visible(file)}</code>;
  return (
    <a href={policyLink({ file, line })}>
      <code>{visible(`${file}:${line}`)}</code>
    </a>
  );
}

function Problems({ problems }: { readonly problems: readonly Found[] }) {
  return (
    <section class="answer no" aria-labelledby="problems">
      <h2 id="problems">The newest files are not in force</h2>
      <ul class="misses">
        {problems.map(({ file, line, message }) => (
          <li>
            <Place file={file} line={line} /> <Foreign text={message} whole />
          </li>
        ))}
      </ul>
    </section>
  );
}

function Changes({ answer: { review } }: { readonly answer: PolicyAnswer }) {
  return (
    <>
      <h2>What the last reload changed</h2>
      {review === null ? (
        <p class="note">It is being compared; look again in a moment.</p>
      ) : review.changes === null ? (
        <p class="note">The files are those of the start.</p>
      ) : review.changes.lines.length === 0 ? (
        <p class="note">Nothing in who may do what.</p>
      ) : (
        <ul class="changes">
          {review.changes.lines.map(({ sign, text }) => (
            <li>
              <span class={`sign ${{ '+': 'yes', '-': 'no', '~': 'sometimes' }[sign]}`}>{sign}</span> {visible(text)}
            </li>
          ))}
          {review.changes.isWhole ? null : <li>and perhaps more: the files are too large to compare whole</li>}
        </ul>
      )}
    </>
  );
}

function Findings({ answer: { review } }: { readonly answer: PolicyAnswer }) {
  if (review === null) return null;
  const { lints, unexercised } = review;
  return (
    <>
      <h2>What to look at</h2>
      {lints.length + unexercised.length === 0 ? (
        <p class="note">Nothing: every rule does something, and a test needs it.</p>
      ) : null}
      {lints.length === 0 ? null : (
        <ul class="misses">
          {lints.map(({ file, line, message, isProblem }) => (
            <li>
              <span class={`badge ${isProblem ? 'bad' : 'warn'}`}>{isProblem ? 'problem' : 'note'}</span>{' '}
              <Foreign text={message} whole /> <Place file={file} line={line} />
            </li>
          ))}
        </ul>
      )}
      {unexercised.length === 0 ? null : (
        <details>
          <summary>
            {unexercised.length} {unexercised.length === 1 ? 'rule' : 'rules'} that no test exercises
          </summary>
          <ul class="misses">
            {unexercised.map(({ name, file, line }) => (
              <li>
                {visible(name)} <Place file={file} line={line} />
              </li>
            ))}
          </ul>
        </details>
      )}
    </>
  );
}

function Files({ answer: { files, shown } }: { readonly answer: PolicyAnswer }) {
  return (
    <>
      <h2>Files</h2>
      <ul class="files">
        {files.map(({ file, lines, problems }) => (
          <li>
            <a href={policyLink({ file, line: 1 })} aria-current={shown?.file === file ? 'true' : undefined}>
              <Foreign text={file} />
            </a>{' '}
            <span class="note">
              {lines} {lines === 1 ? 'line' : 'lines'}
            </span>
            {problems > 0 ? (
              <span class="badge bad">{problems === 1 ? '1 problem' : `${problems} problems`}</span>
            ) : null}
          </li>
        ))}
      </ul>
    </>
  );
}

function File({
  shown,
  problems,
}: {
  readonly shown: NonNullable<PolicyAnswer['shown']>;
  readonly problems: readonly Found[];
}) {
  const { file, isRefused, from, total, lines } = shown;
  const here = problems.filter((each) => each.file === file && isRefused);
  const last = from + lines.length - 1;
  return (
    <>
      <h3 id="file">
        <code>
          <Foreign text={file} />
        </code>
        {isRefused ? <span class="badge bad">not in force</span> : null}
      </h3>
      <p class="note">
        Read-only; hashes are masked.{total > lines.length ? ` Lines ${from} to ${last} of ${total}.` : ''}
      </p>
      <div class="code" role="region" aria-labelledby="file" tabindex={0}>
        <table aria-label="Lines">
          <tbody>
            {lines.map((text, index) => (
              <Line number={from + index} text={text} found={here.filter(({ line }) => line === from + index)} />
            ))}
          </tbody>
        </table>
      </div>
      <Ways
        back={from > 1 ? { href: policyLink({ file, line: from - 1 }), text: 'Lines before' } : undefined}
        on={last < total ? { href: policyLink({ file, line: last + 1 }), text: 'Lines behind' } : undefined}
      />
    </>
  );
}

function Line({
  number,
  text,
  found,
}: {
  readonly number: number;
  readonly text: string;
  readonly found: readonly Found[];
}) {
  return (
    <tr id={`L${number}`} class={found.length === 0 ? undefined : 'bad'}>
      <th scope="row">{number}</th>
      <td>
        <code>{visible(text)}</code>
        {found.map(({ message }) => (
          <p class="problem">
            <Foreign text={message} whole />
          </p>
        ))}
      </td>
    </tr>
  );
}
