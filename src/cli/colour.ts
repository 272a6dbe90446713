/** Colours for a person at a terminal; plain text everywhere else. */
import { styleText } from 'node:util';
import { useColour } from './report.ts';

export interface Palette {
  readonly good: (text: string) => string;
  readonly bad: (text: string) => string;
  readonly strong: (text: string) => string;
  readonly faint: (text: string) => string;
}

/** Plain text where `useColour` says no. */
export function paletteFor(stream: NodeJS.WriteStream): Palette {
  const paint = (format: Parameters<typeof styleText>[0]) => (text: string) =>
    useColour(stream) ? styleText(format, text) : text;
  return { good: paint('green'), bad: paint('red'), strong: paint('bold'), faint: paint('dim') };
}
