/**
 * Answers as RFC 4511 writes them, checked before the library reads them: it takes a result without a code for success, and
 * for ever to read an attribute that is none.
 */
import { partAt } from './frames.ts';

interface Part {
  readonly tag: number;
  readonly begin: number;
  readonly end: number;
}

const tags = {
  boolean: 0x01,
  integer: 0x02,
  text: 0x04,
  code: 0x0a,
  sequence: 0x30,
  set: 0x31,
  bindResponse: 0x61,
  searchEntry: 0x64,
  searchDone: 0x65,
  searchReference: 0x73,
  extendedResponse: 0x78,
  controls: 0xa0,
} as const;

/** Whether a message, cut out whole, is an answer to a bind, a search or an extended request. */
export function isAnswer(frame: Buffer): boolean {
  const [message, ...none] = partsIn(frame, { begin: 0, end: frame.length });
  if (message?.tag !== tags.sequence || none.length > 0) return false;
  const [id, operation, controls, ...others] = partsIn(frame, message);
  if (id === undefined || operation === undefined || others.length > 0) return false;
  if (!isNumber(id, tags.integer)) return false;
  return isOperation(frame, operation) && (controls === undefined || areControls(frame, controls));
}

function isOperation(frame: Buffer, operation: Part): boolean {
  const parts = partsIn(frame, operation);
  switch (operation.tag) {
    case tags.bindResponse:
    case tags.searchDone:
    case tags.extendedResponse: {
      const [code, matched, message] = parts;
      return (
        code !== undefined && isNumber(code, tags.code) && [matched, message].every((each) => each?.tag === tags.text)
      );
    }
    case tags.searchEntry: {
      const [name, attributes, ...others] = parts;
      const isWhole = name?.tag === tags.text && attributes?.tag === tags.sequence && others.length === 0;
      return isWhole && partsIn(frame, attributes).every((each) => isAttribute(frame, each));
    }
    case tags.searchReference:
      return parts.every(({ tag }) => tag === tags.text);
    default:
      return false;
  }
}

function isAttribute(frame: Buffer, attribute: Part): boolean {
  if (attribute.tag !== tags.sequence) return false;
  const [type, values, ...others] = partsIn(frame, attribute);
  if (type?.tag !== tags.text || values?.tag !== tags.set || others.length > 0) return false;
  return partsIn(frame, values).every(({ tag }) => tag === tags.text);
}

function areControls(frame: Buffer, controls: Part): boolean {
  return (
    controls.tag === tags.controls &&
    partsIn(frame, controls).every((control) => {
      const [type, ...rest] = partsIn(frame, control);
      const kinds = rest.map(({ tag }) => tag).join();
      const known = ['', `${tags.boolean}`, `${tags.text}`, `${tags.boolean},${tags.text}`];
      return control.tag === tags.sequence && type?.tag === tags.text && known.includes(kinds);
    })
  );
}

/** Of one to four bytes: what the library reads as a number. */
function isNumber({ tag, begin, end }: Part, wanted: number): boolean {
  return tag === wanted && end > begin && end - begin <= 4;
}

/** Those that it consists of; of what is cut off, one that has no tag of ours. */
function partsIn(bytes: Buffer, { begin, end }: Pick<Part, 'begin' | 'end'>): readonly Part[] {
  const parts: Part[] = [];
  for (let at = begin; at < end;) {
    const part = partAt(bytes, at);
    if (part === undefined || part === 'short' || part.end > end) return [...parts, { tag: 0, begin: at, end }];
    parts.push({ tag: bytes[at] ?? 0, ...part });
    at = part.end;
  }
  return parts;
}
