import type { ReactNode } from "react";
import styles from "./table.module.css";

export interface Column<Row> {
  /** Empty for what needs no name on a wide page: buttons. */
  readonly head: string;
  readonly cell: (row: Row) => ReactNode;
  readonly number?: boolean;
  /** May take more than one line. */
  readonly wide?: boolean;
}

/** A table; where there is no room for one, a card for each row. Roles are named because cards are not laid out as a table. */
export function DataTable<Row>({
  label,
  columns,
  rows,
  keyOf,
}: {
  readonly label: string;
  readonly columns: readonly Column<Row>[];
  readonly rows: readonly Row[];
  readonly keyOf: (row: Row) => string;
}) {
  return (
    <div className={styles["scroll"]}>
      <table className={styles["table"]} role="table" aria-label={label}>
        <thead role="rowgroup">
          <tr role="row">
            {columns.map(({ head, number }) => (
              <th key={head} role="columnheader" className={number ? styles["number"] : undefined}>
                {head || <span className="visually-hidden">Actions</span>}
              </th>
            ))}
          </tr>
        </thead>
        <tbody role="rowgroup">
          {rows.map((row) => (
            <tr key={keyOf(row)} role="row">
              {columns.map(({ head, cell, number, wide }) => (
                <td key={head} role="cell" data-head={head} className={lookOf(number, wide)}>
                  {cell(row)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function lookOf(number = false, wide = false): string | undefined {
  return number ? styles["number"] : wide ? styles["wide"] : undefined;
}
