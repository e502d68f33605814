// Markdown to a tree of [tag, properties, children]: paragraphs, lists, headings, code, emphasis
// and links. Answers may be hostile, so each pattern and loop reads its text once: nothing searches
// for an end that may be missing, except where it is known that there is one.

const LINE_END = /\r\n?|[\n\u2028\u2029]/;
const ITEM = /^\s*(?:[-*+]|(\d{1,9})[.)])\s+(.*)$/;
const FENCE = /^\s*```\s*(\S*)/;
const FENCE_END = /^\s*```\s*$/;
const HEADING = /^(#{1,4})\s+(.*)$/;
// Backticks, asterisks, a link, other text, or a bracket that begins no link.
const TOKEN = /`+|\*+|\[([^[\]]+)\]\((https?:\/\/[^\s()[\]]+)\)|[^`*[]+|\[/g;
const TAGS = { "*": "em", "**": "strong" };

// Return the index of the next run of as many backticks, or undefined. Calls go from left to right.
function backtickFinder(text) {
  const indexes = new Map();
  for (const { 0: run, index } of text.matchAll(/`+/g)) {
    if (!indexes.has(run.length)) indexes.set(run.length, { next: 0, all: [] });
    indexes.get(run.length).all.push(index);
  }
  return (length, after) => {
    const found = indexes.get(length);
    while (found.all[found.next] <= after) found.next += 1;
    return found.all[found.next];
  };
}

// The elements that are open: the text itself, and at most one `em` and one `strong`.
class Open {
  constructor() {
    this.stack = [{ marker: "", children: [] }];
  }

  add(child) {
    const { children } = this.stack.at(-1);
    const last = children.length - 1;
    if (typeof child === "string" && typeof children[last] === "string") children[last] += child;
    else children.push(child);
  }

  has(marker) {
    return this.stack.some((each) => each.marker === marker);
  }

  open(marker) {
    this.stack.push({ marker, children: [] });
  }

  // Close the element of a marker; those inside it that were never closed are text.
  close(marker) {
    while (this.stack.at(-1).marker !== marker) {
      const unclosed = this.stack.pop();
      this.add(unclosed.marker);
      unclosed.children.forEach((child) => this.add(child));
    }
    if (marker) this.add([TAGS[marker], {}, this.stack.pop().children]);
  }

  asterisks(run, before, after) {
    const markers = { "*": ["*"], "**": ["**"], "***": ["*", "**"] }[run] ?? [];
    const canClose = /\S/.test(before) && markers.length && markers.every((each) => this.has(each));
    const canOpen = /\S/.test(after) && markers.length && !markers.some((each) => this.has(each));
    if (canClose && markers.length === 1) this.close(run);
    else if (canClose) while (this.stack.length > 1) this.close(this.stack.at(-1).marker);
    else if (canOpen) markers.forEach((each) => this.open(each));
    else this.add(run);
  }
}

function inline(text) {
  const closing = backtickFinder(text);
  const open = new Open();
  TOKEN.lastIndex = 0;
  for (let match = TOKEN.exec(text); match; match = TOKEN.exec(text)) {
    const [source, label, href] = match;
    const end = TOKEN.lastIndex;
    const close = source[0] === "`" ? closing(source.length, match.index) : undefined;
    if (close !== undefined) {
      open.add(["code", {}, [text.slice(end, close)]]);
      TOKEN.lastIndex = close + source.length;
    } else if (source[0] === "*") open.asterisks(source, text[match.index - 1] ?? "", text[end] ?? "");
    else if (href) open.add(["a", { href, target: "_blank", rel: "noopener noreferrer" }, [label]]);
    else open.add(source);
  }
  open.close("");
  return open.stack[0].children;
}

export function markdown(text) {
  const blocks = [];
  const lines = text.split(LINE_END);
  let paragraph = [];
  let list = null;
  const flush = () => {
    if (paragraph.length) blocks.push(["p", {}, inline(paragraph.join("\n"))]);
    paragraph = [];
    list = null;
  };
  for (let i = 0; i < lines.length; i += 1) {
    const fence = FENCE.exec(lines[i]);
    const item = ITEM.exec(lines[i]);
    const heading = HEADING.exec(lines[i]);
    if (fence) {
      flush();
      const code = [];
      for (i += 1; i < lines.length && !FENCE_END.test(lines[i]); i += 1) code.push(lines[i]);
      blocks.push(["pre", {}, [["code", { data: { language: fence[1] } }, [code.join("\n")]]]]);
    } else if (item) {
      const tag = item[1] ? "ol" : "ul";
      if (list?.[0] !== tag) {
        flush();
        list = [tag, item[1] ? { start: Number(item[1]) } : {}, []];
        blocks.push(list);
      }
      list[2].push(["li", {}, inline(item[2])]);
    } else if (heading) {
      flush();
      blocks.push(["h3", {}, inline(heading[2])]);
    } else if (lines[i].trim() === "") {
      flush();
    } else if (list && /^\s/.test(lines[i])) {
      const [, , children] = list[2].at(-1);
      for (const child of ["\n", ...inline(lines[i].trim())]) children.push(child);
    } else {
      if (list) flush();
      paragraph.push(lines[i]);
    }
  }
  flush();
  return blocks;
}
