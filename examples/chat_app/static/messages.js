// The messages of a conversation. Stored ones never change and have unique ids, so each is drawn
// once and its element stays while it is there, with what is being edited in it.
import { button, el, icon, shortTime, writable } from "./dom.js";
import { markdown } from "./markdown.js";

const IDEAS = ["What can you do?", "How do you remember this?", "What's the weather in Zurich?", "I am Ada."];

function argument([name, value]) {
  return `${name}=${JSON.stringify(value)}`;
}

function card(call, result) {
  const state = !result ? "running" : result.failed ? "failed" : "done";
  const said = result ? result.text : "running";
  return el(
    "div",
    { className: "card", data: { state } },
    icon("tool"),
    el("code", {}, el("b", {}, call.name), `(${Object.entries(call.args).map(argument).join(", ")})`),
    el("span", { className: "result" }, said),
  );
}

function body(message, results) {
  const parts = message.text ? [el("div", { className: "prose" }, ...markdown(message.text))] : [];
  return [...parts, ...message.calls.map((call) => card(call, results.get(call.id)))];
}

function resultsOf(messages) {
  return new Map(messages.filter((one) => one.kind === "tool").map((one) => [one.call, one]));
}

export class Messages {
  constructor(root, actions) {
    this.root = root;
    this.actions = actions;
    this.drawn = new Map();
    this.draftNode = null;
    this.count = 0;
  }

  // What is stored, and whether an answer to it is being written.
  show({ messages, busy }) {
    const results = resultsOf(messages);
    const nodes = [];
    const drawn = new Map();
    messages.forEach((message, index) => {
      if (message.kind === "tool") return; // shown in the card of its call
      const key = message.id ?? `at-${index}`;
      const node = this.drawn.get(key) ?? this.draw(message, results);
      drawn.set(key, node);
      nodes.push(node);
    });
    this.drawn = drawn;
    this.count = messages.length;
    const last = messages.at(-1);
    if (!busy) this.draftNode = null;
    else this.draftNode ??= this.waiting();
    if (!last && !busy) nodes.push(this.welcome());
    if (this.draftNode) nodes.push(this.draftNode);
    else if (last?.kind === "human") nodes.push(this.unanswered());
    this.place(nodes);
  }

  // What is being written; `after` says after how many stored messages.
  draft({ after, messages }) {
    if (after !== this.count) return; // it has been stored meanwhile
    const results = resultsOf(messages);
    const parts = messages.filter((one) => one.kind !== "tool").flatMap((one) => body(one, results));
    const node = parts.length ? el("article", { className: "message ai draft" }, ...parts) : this.waiting();
    this.draftNode?.remove();
    this.draftNode = node;
    this.root.querySelector(".unanswered")?.remove();
    this.root.append(node);
  }

  // Only what differs is touched: an element that moves would lose the focus in it.
  place(nodes) {
    const wanted = new Set(nodes);
    for (const child of [...this.root.children]) if (!wanted.has(child)) child.remove();
    nodes.forEach((node, index) => {
      if (this.root.children[index] !== node) this.root.insertBefore(node, this.root.children[index] ?? null);
    });
  }

  clear() {
    this.drawn = new Map();
    this.draftNode = null;
    this.count = 0;
    this.root.replaceChildren();
  }

  draw(message, results) {
    const { id, kind, text, at } = message;
    const node = el("article", { className: `message ${kind}`, data: { id: id ?? "" } });
    const time = el("time", { dateTime: at ?? "", title: at ? new Date(at).toLocaleString() : "" }, shortTime(at));
    const branch = button("branch", "Branch here", () => this.actions.branch(id));
    if (kind === "human") {
      const edit = button("edit", "Edit", () => this.edit(node, message));
      const said = el("div", { className: "bubble" }, text);
      node.append(said, el("div", { className: "meta" }, time, ...(id ? [edit, branch] : [])));
    } else {
      node.append(...body(message, results));
      const again = button("again", "Answer again", () => this.actions.regenerate(), "quiet again");
      if (!message.calls.length) node.append(el("div", { className: "meta" }, time, ...(id ? [again, branch] : [])));
    }
    return node;
  }

  edit(node, message) {
    if (node.querySelector("form")) return;
    const area = el("textarea", { value: message.text, rows: 1, "aria-label": "Edit message" });
    const stop = () => {
      form.remove();
      node.classList.remove("editing");
      this.actions.focus();
    };
    const submit = async () => {
      if (area.value.trim() && (await this.actions.send(area.value, message.id))) stop();
    };
    const form = el(
      "form",
      { className: "edit" },
      area,
      el(
        "div",
        { className: "choices" },
        el("span", {}, "What follows is replaced."),
        el("button", { type: "button", onclick: stop }, "Cancel"),
        el("button", { type: "submit", className: "primary" }, "Send"),
      ),
    );
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      submit();
    });
    area.addEventListener("keydown", (event) => event.key === "Escape" && stop());
    const fit = writable(area, submit);
    node.classList.add("editing");
    node.prepend(form);
    fit();
    area.focus();
  }

  editLast() {
    const edits = this.root.querySelectorAll('.message.human [aria-label="Edit"]');
    edits[edits.length - 1]?.click();
  }

  waiting() {
    const dots = [1, 2, 3].map(() => el("i"));
    return el("article", { className: "message ai draft waiting", "aria-label": "Writing" }, ...dots);
  }

  unanswered() {
    const ask = el("button", { type: "button", onclick: () => this.actions.regenerate() }, icon("again"), "Get an answer");
    return el("div", { className: "unanswered" }, "This message has no answer.", ask);
  }

  welcome() {
    const idea = (text) => el("button", { type: "button", onclick: () => this.actions.send(text) }, text);
    return el(
      "div",
      { className: "welcome" },
      el("h2", {}, "What is on your mind?"),
      el("p", {}, "All you say is kept in Redis or Valkey, in step in every tab."),
      el("div", { className: "ideas" }, ...IDEAS.map(idea)),
    );
  }
}
