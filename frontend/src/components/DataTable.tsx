import { useState } from "preact/hooks";
import { cellText, type Table } from "../pictures/table";

const PAGE = 50;

/** The numbers of a picture, a page at a time: a long run has more rows than anybody wants in the page at once. */
export function DataTable({ id, table }: { id: string; table: Table }) {
  const pages = Math.max(1, Math.ceil(table.rows.length / PAGE));
  const [wanted, setPage] = useState(0);
  const page = Math.min(wanted, pages - 1);
  if (table.rows.length === 0) return <p id={id}>No rows yet.</p>;
  return (
    <div id={id} class="table-wrap" role="region" aria-label="Numbers of the picture" tabIndex={0}>
      <table class="numbers">
        <thead>
          <tr>
            {table.head.map((name, i) => (
              <th key={name} scope="col" class={typeof table.rows[0]?.[i] === "string" ? "text" : ""}>
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {table.rows.slice(page * PAGE, (page + 1) * PAGE).map((row, i) => (
            <tr key={page * PAGE + i}>
              {row.map((value, k) => (
                <td key={table.head[k]} class={typeof value === "string" ? "text" : ""}>
                  {cellText(value)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
      {pages > 1 && (
        <nav class="pager" aria-label="Pages of the table">
          <button type="button" disabled={page === 0} onClick={() => setPage(page - 1)}>
            back
          </button>
          <span>
            page {page + 1} of {pages}
          </span>
          <button type="button" disabled={page === pages - 1} onClick={() => setPage(page + 1)}>
            on
          </button>
        </nav>
      )}
    </div>
  );
}
