// Markdown to elements: paragraphs, lists, headings, code, emphasis and links.
import { el } from "./dom.js";

const INLINE = /(`+)(.+?)\1|\*\*(.+?)\*\*|\*(\S(?:.*?\S)?)\*|\[([^\]]+)\]\((https?:\/\/[^\s)]+)\)/g;
const ITEM = /^\s*(?:[-*+]|(\d+)[.)])\s+(.*)$/;
const FENCE = /^\s*```\s*(\S*)/;
const HEADING = /^(#{1,4})\s+(.*)$/;

function inline(text) {
  const parts = [];
  let end = 0;
  for (const match of text.matchAll(INLINE)) {
    const [source, , code, strong, emphasis, label, href] = match;
    parts.push(text.slice(end, match.index));
    if (code !== undefined) parts.push(el("code", {}, code));
    else if (strong !== undefined) parts.push(el("strong", {}, ...inline(strong)));
    else if (emphasis !== undefined) parts.push(el("em", {}, ...inline(emphasis)));
    else parts.push(el("a", { href, target: "_blank", rel: "noopener noreferrer" }, label));
    end = match.index + source.length;
  }
  parts.push(text.slice(end));
  return parts;
}

export function markdown(text) {
  const blocks = [];
  const lines = text.split("\n");
  let paragraph = [];
  let list = null;
  const flush = () => {
    if (paragraph.length) blocks.push(el("p", {}, ...inline(paragraph.join("\n"))));
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
      for (i += 1; i < lines.length && !/^\s*```\s*$/.test(lines[i]); i += 1) code.push(lines[i]);
      blocks.push(el("pre", {}, el("code", { data: { language: fence[1] } }, code.join("\n"))));
    } else if (item) {
      const tag = item[1] ? "ol" : "ul";
      if (list?.localName !== tag) {
        flush();
        list = el(tag, item[1] ? { start: Number(item[1]) } : {});
        blocks.push(list);
      }
      list.append(el("li", {}, ...inline(item[2])));
    } else if (heading) {
      flush();
      blocks.push(el("h3", {}, ...inline(heading[2])));
    } else if (lines[i].trim() === "") {
      flush();
    } else if (list && /^\s/.test(lines[i])) {
      list.lastChild.append("\n", ...inline(lines[i].trim()));
    } else {
      if (list) flush();
      paragraph.push(lines[i]);
    }
  }
  flush();
  return blocks;
}
