/** Small pieces that several pages are made of. */

/** A command that can be selected with one click; page.js adds the button that copies it. */
export function Command({ text, label }: { readonly text: string; readonly label: string }) {
  return (
    <div class="command" data-copy>
      <span class="label">{label}</span>
      <code>
        <Name name={text} />
      </code>
    </div>
  );
}

/** `none`: no rule speaks of it; `no`: a rule forbids it. */
export type Verdict = 'yes' | 'no' | 'none' | 'sometimes';

/** Beside the word. */
export const glyphs: Readonly<Record<Verdict, string>> = { yes: '✓', no: '✕', none: '–', sometimes: '◐' };
const words: Readonly<Record<Verdict, string>> = { yes: 'yes', no: 'forbidden', none: 'no', sometimes: 'sometimes' };

/** Colour, glyph and word say the same thing; none of them alone. */
export function Answer({ answer, word }: { readonly answer: Verdict; readonly word?: string | undefined }) {
  return (
    <span class={`verdict ${answer}`}>
      <span aria-hidden="true">{glyphs[answer]}</span> {word ?? words[answer]}
    </span>
  );
}

const units: readonly (readonly [seconds: number, name: string])[] = [
  [86_400, 'day'],
  [3_600, 'hour'],
  [60, 'minute'],
];

/** `5 minutes ago`, with the instant in UTC for whoever wants it. Both in milliseconds since 1970. */
export function When({ at, now }: { readonly at: number; readonly now: number }) {
  const iso = `${new Date(at).toISOString().slice(0, 19)}Z`;
  return (
    <time datetime={iso} title={iso}>
      {ago(at, now)}
    </time>
  );
}

/** As `When` says it; `in 3 days` of what is to come. */
export function ago(at: number, now: number): string {
  const seconds = Math.abs(now - at) / 1000;
  const [unit, name] = units.find(([each]) => seconds >= each) ?? [];
  if (unit === undefined || name === undefined) return 'just now';
  // What was made for 30 days a moment ago ends in 30 days, not in 29.
  const count = at > now ? Math.round(seconds / unit) : Math.floor(seconds / unit);
  const words = `${count} ${name}${count === 1 ? '' : 's'}`;
  return at > now ? `in ${words}` : `${words} ago`;
}

/** As docker prints it: 38.2 MB of a million bytes. */
export function size(bytes: number): string {
  const [unit, name] = bytes >= 1e9 ? [1e9, 'GB'] : bytes >= 1e6 ? [1e6, 'MB'] : [1e3, 'kB'];
  return `${(bytes / unit).toFixed(bytes >= 1e9 ? 2 : 1)} ${name}`;
}

const maxText = 256;
/**
 * Of text that anybody may have written: control characters, those that turn the direction of what follows, and those that
 * are drawn as nothing. Variants of emoji say nothing of their own.
 */
const unseen = /(?![\ufe00-\ufe0f])[\p{Cc}\p{Zl}\p{Zp}\p{DI}\ufff9-\ufffb]/gu;

/** Text from elsewhere: isolated, its invisible characters shown (`U+202E`), cut at 256 characters unless `whole`. */
export function Foreign({ text, whole = false }: { readonly text: string; readonly whole?: boolean }) {
  const shown = visible(whole ? text : text.slice(0, maxText));
  return (
    <bdi>
      {shown}
      {!whole && text.length > maxText ? '…' : ''}
    </bdi>
  );
}

/** A name with slashes, or a command with one: it breaks behind them before it breaks anywhere else. `tail`: what stands behind it. */
export function Name({ name, tail = '' }: { readonly name: string; readonly tail?: string }) {
  return (
    <>
      {name.split('/').map((part, index) => (
        <>
          {index === 0 ? null : (
            <>
              /<wbr />
            </>
          )}
          {part}
        </>
      ))}
      {tail === '' ? null : (
        <>
          <wbr />
          {tail}
        </>
      )}
    </>
  );
}

/** Lines of a file: their ends stay ends. */
export function visibleLines(text: string): string {
  return text.split('\n').map(visible).join('\n');
}

/** For attributes and titles, where no element can stand. */
export function visible(text: string): string {
  return text.replace(
    unseen,
    (character) => `U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}`,
  );
}
