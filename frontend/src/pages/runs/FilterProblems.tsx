/** What is wrong with the filter: the word itself, and how to mend it. */
import type { Problem } from "../../filter/filter";

interface Props {
  text: string;
  problems: readonly Problem[];
  onMend: (text: string) => void;
}

export function FilterProblems({ text, problems, onMend }: Props) {
  if (problems.length === 0) return null;
  return (
    <ul class="filter-problems">
      {problems.map(({ start, end, message, instead }) => (
        <li key={start}>
          <code>
            {text.slice(Math.max(0, start - 24), start)}
            <mark>{text.slice(start, end)}</mark>
            {text.slice(end, end + 24)}
          </code>{" "}
          {message}{" "}
          {instead !== undefined && (
            <button
              type="button"
              class="quiet"
              onClick={() => onMend(`${text.slice(0, start)}${instead}${text.slice(end)}`.trim())}
            >
              {instead ? `write ${instead}` : "take it out"}
            </button>
          )}
        </li>
      ))}
    </ul>
  );
}
