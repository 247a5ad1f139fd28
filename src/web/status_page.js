
"use strict";
// Sorts and filters the rows that the page has already. It asks nobody for anything and keeps nothing.

const texts = new Intl.Collator();

// What a cell is sorted by: its number where it has one, else its text; undefined for what is not known.
function keyOf(cell) {
  if (cell.classList.contains("none") || cell.dataset.key === "") return undefined;
  return cell.dataset.key === undefined ? cell.textContent : Number(cell.dataset.key);
}

// What is not known comes last, whichever way the rest is sorted. Equal rows keep their order.
function compare(a, b, direction) {
  if (a === undefined || b === undefined) return (a === undefined) - (b === undefined);
  return direction * (typeof a === "number" ? a - b : texts.compare(a, b));
}

function sort(table, header) {
  const up = header.getAttribute("aria-sort") !== "ascending";
  const body = table.tBodies[0];
  const rows = Array.from(body.rows, (row) => ({ row, key: keyOf(row.cells[header.cellIndex]) }));
  rows.sort((a, b) => compare(a.key, b.key, up ? 1 : -1));
  for (const other of header.parentNode.cells) other.removeAttribute("aria-sort");
  header.setAttribute("aria-sort", up ? "ascending" : "descending");
  body.append(...rows.map(({ row }) => row));
}

for (const table of document.querySelectorAll("table")) {
  for (const header of table.tHead.rows[0].cells) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...header.childNodes);
    button.addEventListener("click", () => sort(table, header));
    header.append(button);
  }
}

const filter = document.querySelector(".filter");
if (filter) {
  const [field, shown] = [filter.querySelector("input"), filter.querySelector("output")];
  const rows = Array.from(document.querySelector(".instances").tBodies[0].rows, (row) => {
    // Between cells stands a line break, so that no word spans two of them.
    const text = Array.from(row.cells, (cell) => cell.textContent).join("\n").toLowerCase();
    return { row, text };
  });
  const apply = () => {
    const words = field.value.toLowerCase().split(/\s+/);
    let count = 0;
    for (const { row, text } of rows) {
      row.hidden = !words.every((word) => text.includes(word));
      count += row.hidden ? 0 : 1;
    }
    shown.value = count === rows.length ? "" : `${count} of ${rows.length} shown`;
  };
  field.addEventListener("input", apply);
  filter.hidden = false;
  // A browser may fill in what was typed before a reload.
  apply();
}
