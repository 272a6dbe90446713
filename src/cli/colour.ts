/** Colours for a person at a terminal; plain text everywhere else. */
import { useColour } from './report.ts';

export interface Palette {
  readonly good: (text: string) => string;
  readonly bad: (text: string) => string;
  readonly strong: (text: string) => string;
  readonly faint: (text: string) => string;
}

/** Plain text where `useColour` says no. */
export function paletteFor(stream: NodeJS.WriteStream): Palette {
  const paint = (code: number) => (text: string) => (useColour(stream) ? `\u001b[${code}m${text}\u001b[0m` : text);
  return { good: paint(32), bad: paint(31), strong: paint(1), faint: paint(2) };
}
