// Creation of elements. Text becomes text nodes and is never parsed as HTML.

// Create an element. Children are nodes, text, arrays of these, and null for none.
export function el(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name === "data") Object.assign(node.dataset, value);
    else if (name in node) node[name] = value;
    else node.setAttribute(name, value);
  }
  // Not all at once: they may be more than a call can have arguments.
  for (const child of children.flat()) if (child !== null) node.append(child);
  return node;
}

// Create the node of a tree of [tag, properties, children].
export function build(tree) {
  if (typeof tree === "string") return tree;
  const [tag, properties, children] = tree;
  return el(tag, properties, children.map(build));
}

export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  use.setAttribute("href", `#${name}`);
  svg.append(use);
  return svg;
}

export function button(name, label, onclick, className = "quiet") {
  return el("button", { type: "button", className, title: label, "aria-label": label, onclick }, icon(name));
}

// Fit a text area to its text, and submit with Enter.
export function autosize(area, submit) {
  const fit = () => {
    area.style.height = "auto";
    area.style.height = `${area.scrollHeight}px`;
  };
  area.addEventListener("input", fit);
  area.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    submit();
  });
  return fit;
}

export function shortTime(iso) {
  if (!iso) return "";
  const at = new Date(iso);
  const time = at.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  if (at.toDateString() === new Date().toDateString()) return time;
  return `${at.toLocaleDateString([], { day: "numeric", month: "short" })}, ${time}`;
}
