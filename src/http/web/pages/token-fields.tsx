/** The fields of an access token: what it is for, how long, how far. The same for one made here and for a terminal's. */
import { maxLabel } from '../../../identity/own-tokens.ts';

export interface TokenFieldsView {
  readonly longestSeconds: number;
  /** What was typed before, by field; undefined: a new form. */
  readonly typed?: URLSearchParams | undefined;
  /** What the name of a new one begins as. */
  readonly label?: string | undefined;
}

const choices = ['pull', 'push', 'delete', 'catalog', 'promote', 'inspect'] as const;
const usual: ReadonlySet<string> = new Set(['pull', 'push']);
const usualDays = [1, 7, 30, 90, 180, 365] as const;
const longestDays = 30;

const says: Readonly<Record<(typeof choices)[number], string>> = {
  pull: 'pull',
  push: 'push',
  delete: 'delete',
  catalog: 'list repositories',
  promote: 'promote',
  inspect: 'inspect',
};

/** Nothing typed here reaches further than the rules let its person. */
export function TokenFields({ longestSeconds, typed, label = '' }: TokenFieldsView) {
  const lifetime = typed?.get('lifetime') ?? usualLifetime(longestSeconds);
  return (
    <>
      <input type="hidden" name="longest" value={longestSeconds} />
      <label>
        What it is for
        <input name="label" value={typed?.get('label') ?? label} maxLength={maxLabel} required autocomplete="off" />
      </label>
      <label>
        Ends after
        <select name="lifetime">
          {lifetimes(longestSeconds).map(({ value, text }) => (
            <option value={value} selected={value === lifetime}>
              {text}
            </option>
          ))}
        </select>
      </label>
      <label>
        Repositories
        <textarea name="repositories" rows={2} spellcheck={false} autocapitalize="none" aria-describedby="reach">
          {typed?.get('repositories') ?? ''}
        </textarea>
      </label>
      <p class="note" id="reach">
        One pattern a line, such as <code>sandbox/**</code> or <code>release/app</code>; empty for all of yours. It
        never reaches further than you do.
      </p>
      <fieldset class="choices">
        <legend>Actions</legend>
        {choices.map((action) => (
          <label>
            <input
              type="checkbox"
              name={`may-${action}`}
              checked={typed === undefined ? usual.has(action) : typed.has(`may-${action}`)}
            />
            {says[action]}
          </label>
        ))}
      </fieldset>
    </>
  );
}

/** As the operations take them. */
export function termsOf(fields: URLSearchParams): Readonly<Record<string, unknown>> {
  const repositories = (fields.get('repositories') ?? '').split(/[\s,]+/).filter((text) => text !== '');
  return {
    label: fields.get('label') ?? '',
    lifetime: fields.get('lifetime') ?? '',
    actions: choices.filter((action) => fields.has(`may-${action}`)),
    ...(repositories.length === 0 ? {} : { repositories }),
  };
}

/** What the form that was sent offered. */
export function longestOf(fields: URLSearchParams): number {
  const seconds = Number(fields.get('longest'));
  return Number.isInteger(seconds) && seconds > 0 ? seconds : longestDays * 86_400;
}

function usualLifetime(longestSeconds: number): string {
  return longestSeconds >= longestDays * 86_400 ? `${longestDays}d` : (lifetimes(longestSeconds).at(-1)?.value ?? '');
}

function lifetimes(longestSeconds: number): readonly { readonly value: string; readonly text: string }[] {
  const days = usualDays.filter((each) => each * 86_400 <= longestSeconds);
  const fitting = days.map((each) => ({ value: `${each}d`, text: each === 1 ? '1 day' : `${each} days` }));
  if (days.some((each) => each * 86_400 === longestSeconds)) return fitting;
  const minutes = Math.max(1, Math.floor(longestSeconds / 60));
  const [count, unit, name] =
    minutes % 1440 === 0
      ? [minutes / 1440, 'd', 'day']
      : minutes % 60 === 0
        ? [minutes / 60, 'h', 'hour']
        : [minutes, 'm', 'minute'];
  return [...fitting, { value: `${count}${unit}`, text: `${count} ${name}${count === 1 ? '' : 's'}` }];
}
