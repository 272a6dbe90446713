/** Above a list: how many there are, and the form that finds some of them. */
import type { ComponentChildren } from 'preact';

interface SearchView {
  readonly title: string;
  readonly count: number;
  readonly action: string;
  readonly field: {
    readonly name: string;
    readonly value: string;
    readonly label: string;
    /** Left out: the label. */
    readonly placeholder?: string;
  };
  readonly order?: {
    readonly value: string;
    readonly choices: readonly (readonly [value: string, label: string])[];
  };
  /** Hidden fields. */
  readonly children?: ComponentChildren;
}

/** A form that GETs the same page. */
export function SearchBar({ title, count, action, field, order, children }: SearchView) {
  const { name, value, label, placeholder = label } = field;
  return (
    <div class="bar">
      <h2>
        {title} <span class="count">{count.toLocaleString('en')}</span>
      </h2>
      <form method="get" action={action} class="find" role="search">
        <label>
          <span class="hidden">{label}</span>
          <input type="search" name={name} value={value} placeholder={placeholder} />
        </label>
        {order === undefined ? null : (
          <label>
            <span class="hidden">Order</span>
            <select name="order">
              {order.choices.map(([choice, word]) => (
                <option value={choice} selected={choice === order.value}>
                  {word}
                </option>
              ))}
            </select>
          </label>
        )}
        <button>Find</button>
        {children}
      </form>
    </div>
  );
}
