/** One question answered: by which rule, what came near, and what would allow it. */
import type { AccessAnswer, Explained } from '../../../operations/access-answers.ts';
import type { Frame } from '../page.ts';
import { policyLink } from './links.ts';
import { Answer, Command, Foreign, visible, visibleLines } from './parts.tsx';

/** The decision, what nearly turned it, and what would allow it. */
export function Verdict(props: {
  readonly explained: Explained;
  readonly answer: AccessAnswer;
  readonly frame: Frame;
}) {
  const { explained, answer, frame } = props;
  const { allowed, sentence, rule, reason, notes, groups, nearMisses, moreMisses, shadow } = explained;
  return (
    <section class={`answer ${allowed ? 'yes' : 'no'}`} aria-labelledby="answer">
      <h2 id="answer">
        <Answer answer={allowed ? 'yes' : 'no'} word={visible(sentence)} />
      </h2>
      {rule === null ? (
        <p>{begun(reason)}.</p>
      ) : (
        <p>
          Decided by <RuleName rule={rule} answer={answer} />.
        </p>
      )}
      <p>
        Groups:{' '}
        {groups.length === 0
          ? 'none'
          : groups.map(({ name, place }, index) => (
              <>
                {index === 0 ? '' : ', '}
                {name}
                {place === null ? null : (
                  <>
                    {' '}
                    <PlaceLink place={place} frame={frame} />
                  </>
                )}
              </>
            ))}
      </p>
      {notes.length === 0 ? null : (
        <ul class="misses">
          {notes.map((note) => (
            <li>{visible(note)}</li>
          ))}
        </ul>
      )}
      {nearMisses.length === 0 ? null : (
        <details open>
          <summary>{allowed ? 'Nearly forbade it' : 'Nearly allowed it'}</summary>
          <ul class="misses">
            {nearMisses.map((miss) => (
              <li>
                <RuleName rule={miss.rule} answer={answer} /> <span class="note">{visible(miss.why.join('; '))}</span>
              </li>
            ))}
            {moreMisses > 0 ? <li>and {moreMisses} more</li> : null}
          </ul>
        </details>
      )}
      {shadow.length === 0 ? null : (
        <p>
          Shadow rules that would have changed this:{' '}
          {shadow.map((each, index) => (
            <>
              {index === 0 ? '' : ', '}
              <RuleName rule={each} answer={answer} />
            </>
          ))}
        </p>
      )}
      <Allowing answer={answer} frame={frame} />
    </section>
  );
}

/** As a sentence begins. */
function begun(text: string): string {
  return visible(text.slice(0, 1).toUpperCase() + text.slice(1));
}

interface Place {
  readonly file: string;
  readonly line: number;
}

/** `policies/areas.yaml:12`. */
function shownPlace({ file, line }: Place): string {
  return visible(`${file}:${line}`);
}

/** A line of a policy file; the way there is for who may see the files. */
export function PlaceLink({ place, frame: { viewer } }: { readonly place: Place; readonly frame: Frame }) {
  const shown = <code>{shownPlace(place)}</code>;
  return viewer.mayInspectAll ? <a href={policyLink(place)}>{shown}</a> : shown;
}

/** Leads to its text below where that is shown. */
function RuleName({ rule, answer }: { readonly rule: NonNullable<Explained['rule']>; readonly answer: AccessAnswer }) {
  const index = answer.rules.findIndex(({ name }) => name === rule.name);
  return (
    <>
      {index === -1 ? <strong>{rule.name}</strong> : <a href={`#rule-${index}`}>{rule.name}</a>}
      {rule.place === null ? null : (
        <>
          {' '}
          <code>{shownPlace(rule.place)}</code>
        </>
      )}
    </>
  );
}

function Allowing({ answer: { allowing }, frame }: { readonly answer: AccessAnswer; readonly frame: Frame }) {
  if (allowing === null) return null;
  const { why, lines, instead, gains, moreGains, failing, moreFailing } = allowing;
  if (why !== null)
    return (
      <details open>
        <summary>What would allow it</summary>
        <p>{begun(why)}.</p>
      </details>
    );
  return (
    <details>
      <summary>What would allow it</summary>
      <p>
        Lines for a policy file; this page never edits files.
        {instead.length === 0 ? '' : ` They stand in place of ${visible(instead.join(', '))}.`}
      </p>
      <pre tabindex={0}>
        <code>{visibleLines(lines)}</code>
      </pre>
      <p>
        {gains.length > 0
          ? 'What changes by it:'
          : moreGains
            ? 'Too many rules speak of this account to compare all of them here.'
            : 'Nothing else changes.'}
      </p>
      {gains.length === 0 ? null : (
        <ul class="misses">
          {gains.map((sentence) => (
            <li>{visible(sentence)}</li>
          ))}
          {moreGains ? <li>and perhaps more: compare before you do it</li> : null}
        </ul>
      )}
      {failing.length + moreFailing === 0 ? (
        <p>No embedded test fails by it.</p>
      ) : (
        <>
          <p>The edit would be refused as it is, because tests fail:</p>
          <ul class="misses">
            {failing.map(({ test, place }) => (
              <li>
                <Foreign text={test} /> <PlaceLink place={place} frame={frame} />
              </li>
            ))}
            {moreFailing > 0 ? <li>and {moreFailing} more</li> : null}
          </ul>
        </>
      )}
      <Command label="Check first" text="portcullis diff policies edited" />
    </details>
  );
}
