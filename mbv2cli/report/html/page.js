"use strict";

// Tables sort by a column and fold by group. All texts and amounts are those of the page.

function button(text, onClick) {
  const made = document.createElement("button");
  made.type = "button";
  made.append(...text);
  made.addEventListener("click", onClick);
  return made;
}

// Put all that an element holds into a button.
function intoButton(element, onClick) {
  const made = button([...element.childNodes], onClick);
  element.append(made);
  return made;
}

// Return the amount of a cell as text: its own, or that of its text; "" if it has none.
function amountOf(cell) {
  const text = cell.dataset.value ?? cell.textContent.replaceAll(",", "");
  return text.trim() === "" || Number.isNaN(Number(text)) ? "" : text;
}

class SortableTable {
  constructor(table) {
    this.table = table;
    this.body = table.tBodies[0];
    this.rows = [...this.body.rows];
    this.groups = this.rows.filter((row) => row.dataset.depth !== undefined);
    this.headings = [...table.tHead.rows[0].cells];
    this.sortedBy = null;
    this.headings.forEach((heading, column) => {
      heading.setAttribute("aria-sort", "none");
      intoButton(heading, () => this.sortBy(column));
    });
    for (const group of this.groups) {
      const toggle = () => this.setFolded([group], !this.isFolded(group));
      intoButton(group.cells[0], toggle).setAttribute("aria-expanded", "true");
    }
    this.addTools();
  }

  addTools() {
    const tools = document.createElement("div");
    tools.className = "tools";
    this.status = document.createElement("span");
    this.status.setAttribute("role", "status");
    if (this.groups.length) {
      tools.append(
        button(["Fold all"], () => this.setFolded(this.groups, true)),
        button(["Unfold all"], () => this.setFolded(this.groups, false)),
      );
      const inner = this.groups.filter((group) => group.dataset.depth === "1");
      if (inner.length) {
        tools.append(button(["Fold blocks"], () => {
          this.setFolded(this.groups, false);
          this.setFolded(inner, true);
        }));
      }
    }
    tools.append(this.status);
    this.table.closest(".wide").before(tools);
  }

  isFolded(group) {
    return group.querySelector("button").getAttribute("aria-expanded") === "false";
  }

  setFolded(groups, folded) {
    if (this.sortedBy) this.show(null);
    for (const group of groups) {
      group.querySelector("button").setAttribute("aria-expanded", String(!folded));
    }
    this.hideFolded();
  }

  // Hide each row that is in a folded group.
  hideFolded() {
    let foldedDepth = Infinity;
    for (const row of this.rows) {
      const depth = row.dataset.depth === undefined ? Infinity : Number(row.dataset.depth);
      if (depth <= foldedDepth) foldedDepth = Infinity;
      row.classList.toggle("folded", foldedDepth < Infinity);
      if (foldedDepth === Infinity && depth < Infinity && this.isFolded(row)) foldedDepth = depth;
    }
  }

  // Numbers start with the largest, texts with the first; the third time is the order at first.
  sortBy(column) {
    const first = this.headings[column].classList.contains("n") ? "descending" : "ascending";
    const second = first === "ascending" ? "descending" : "ascending";
    if (this.sortedBy?.column !== column) this.show({ column, direction: first });
    else if (this.sortedBy.direction === first) this.show({ column, direction: second });
    else this.show(null);
  }

  show(sortedBy) {
    this.sortedBy = sortedBy;
    this.headings.forEach((heading, column) => {
      const here = sortedBy?.column === column;
      heading.setAttribute("aria-sort", here ? sortedBy.direction : "none");
    });
    this.table.classList.toggle("sorted", sortedBy !== null);
    for (const group of this.groups) group.hidden = sortedBy !== null;
    if (sortedBy) {
      for (const row of this.rows) row.classList.remove("folded");
      this.body.append(...this.sorted(sortedBy));
      const title = this.headings[sortedBy.column].innerText.replace(/\s+/g, " ").trim();
      this.status.textContent = `Sorted by ${title}, ${sortedBy.direction}.`;
    } else {
      this.body.append(...this.rows);
      this.hideFolded();
      this.status.textContent = "In the order of the model.";
    }
  }

  // Return the rows in order; rows without a value come last.
  sorted({ column, direction }) {
    const sign = direction === "ascending" ? 1 : -1;
    const isNumber = this.headings[column].classList.contains("n");
    const keyed = this.rows.map((row) => {
      const cell = row.cells[column];
      const text = isNumber ? amountOf(cell) : cell.textContent;
      return { row, text, number: Number(text) };
    });
    const compare = isNumber
      ? (one, other) => one.number - other.number
      : (one, other) => one.text.localeCompare(other.text, "en", { numeric: true });
    const isEmpty = (one) => one.text === "";
    keyed.sort((one, other) => isEmpty(one) - isEmpty(other) || sign * compare(one, other));
    return keyed.map((one) => one.row);
  }
}

for (const table of document.querySelectorAll("table.sortable")) new SortableTable(table);

// Write the text of the point that the mouse or the keyboard is at; arrow keys move along.
function readPoints(points, readOut) {
  const show = (point) => {
    readOut.textContent = point.getAttribute("aria-label");
  };
  points.forEach((point, number) => {
    point.addEventListener("mouseenter", () => show(point));
    point.addEventListener("focus", () => show(point));
    point.addEventListener("click", () => point.focus());
    point.addEventListener("keydown", (event) => {
      const steps = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };
      const ends = { Home: points[0], End: points[points.length - 1] };
      const next = ends[event.key] ?? points[number + (steps[event.key] ?? NaN)];
      if (!next) return;
      event.preventDefault();
      point.setAttribute("tabindex", "-1");
      next.setAttribute("tabindex", "0");
      next.focus();
    });
  });
}

const readOut = document.getElementById("read-out");
if (readOut) readPoints([...document.querySelectorAll(".point")], readOut);

// Sliders choose a member of the grid; all its texts are in the page.
class Sliders {
  constructor(box, grid) {
    this.grid = grid;
    this.inputs = [...box.querySelectorAll("input")];
    this.member = box.querySelector("#member");
    this.cells = [...box.querySelectorAll("[data-figure]")];
    this.inputs.forEach((input, axis) => {
      input.value = grid.start[axis];
      input.addEventListener("input", () => this.show());
    });
    box.hidden = false;
    this.show();
  }

  show() {
    const { grid } = this;
    const digits = this.inputs.map((input) => Number(input.value));
    this.inputs.forEach((input, axis) => {
      const text = grid.axes[axis][digits[axis]];
      input.setAttribute("aria-valuetext", text);
      input.nextElementSibling.textContent = text;
    });
    // the place in the order of the space, in which the last axis varies fastest
    const place = digits.reduce((sum, digit, axis) => sum * grid.axes[axis].length + digit, 0);
    const numbers = digits.values();
    const idle = grid.idles[grid.idle[place]];
    const fields = grid.fields
      .map((texts) => texts.length > 1 ? texts[numbers.next().value] : texts[0])
      .filter((_text, field) => !idle.includes(field));
    const settings = fields.join("").replace(",", ":");
    this.member.textContent = `${grid.base}${settings}: ${grid.states[grid.state[place]]}.`;
    for (const cell of this.cells) cell.textContent = grid.figures[cell.dataset.figure][place];
  }
}

const box = document.getElementById("sliders");
if (box) new Sliders(box, JSON.parse(document.getElementById("data").textContent));
