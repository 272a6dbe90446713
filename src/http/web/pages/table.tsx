/** Tables. Narrow windows draw their rows as blocks, which browsers then take for no table: roles say that they are one. */
import type { ComponentChildren } from 'preact';

export interface Column<Row> {
  readonly title: string;
  /** The title is heard, not seen. */
  readonly isHidden?: true;
  /** Of the heading and of each cell. */
  readonly class?: 'number' | 'share';
  /** Of each cell alone. */
  readonly cellClass?: (row: Row) => 'act' | 'step' | 'wide' | undefined;
  /** What narrow windows write in front of a cell. */
  readonly word?: string | undefined;
  readonly cell: (row: Row) => ComponentChildren;
}

interface TableView<Row> {
  /** As it is heard. */
  readonly name: string;
  readonly columns: readonly Column<Row>[];
  readonly rows: readonly Row[];
  /** Left out: `list tags`. */
  readonly class?: string;
  /** The first cell of a row is what the others speak of. Left out: it is. */
  readonly isHeaded?: boolean;
  /** Attributes of what holds the rows, for page.js. */
  readonly data?: Readonly<Record<`data-${string}`, string>>;
  /** What stands across a row behind its first cell, where there is nothing for the others. */
  readonly instead?: (row: Row) => string | undefined;
}

/** A column for each kind of cell, a row for each of the rows. */
export function Table<Row>(view: TableView<Row>) {
  const { name, columns, rows, data } = view;
  return (
    <table class={view.class ?? 'list tags'} role="table" aria-label={name}>
      <thead role="rowgroup">
        <tr role="row">
          {columns.map(({ title, isHidden, class: kind }) => (
            <th role="columnheader" scope="col" class={kind}>
              {isHidden === true ? <span class="hidden">{title}</span> : title}
            </th>
          ))}
        </tr>
      </thead>
      <tbody role="rowgroup" {...data}>
        {rows.map((row) => rowOf(view, row))}
      </tbody>
    </table>
  );
}

function rowOf<Row>({ columns, isHeaded = true, instead }: TableView<Row>, row: Row) {
  const across = instead?.(row);
  const shown = across === undefined ? columns : columns.slice(0, 1);
  return (
    <tr role="row" class={across === undefined ? undefined : 'broken'}>
      {shown.map(({ cell, class: kind, cellClass, word }, index) =>
        isHeaded && index === 0 ? (
          <th role="rowheader" scope="row" class={cellClass?.(row)}>
            {cell(row)}
          </th>
        ) : (
          <td role="cell" class={kind ?? cellClass?.(row)} data-word={word}>
            {cell(row)}
          </td>
        ),
      )}
      {across === undefined ? null : (
        <td role="cell" colSpan={columns.length - 1}>
          <span class="note">{across}</span>
        </td>
      )}
    </tr>
  );
}

/** Around a table that may be wider than the window. */
export function Scroll({ name, children }: { readonly name: string; readonly children: ComponentChildren }) {
  return (
    <div class="scroll" role="region" aria-label={name} tabindex={0}>
      {children}
    </div>
  );
}

interface Way {
  readonly href: string;
  readonly text: string;
}

/** Links to what lies before and behind what is shown. */
export function Ways({ back, on }: { readonly back?: Way | undefined; readonly on?: Way | undefined }) {
  if (back === undefined && on === undefined) return null;
  return (
    <p class="pages">
      {back === undefined ? <span /> : <a href={back.href}>{back.text}</a>}
      {on === undefined ? null : <a href={on.href}>{on.text}</a>}
    </p>
  );
}
