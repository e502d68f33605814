// The messages of a conversation. Stored ones never change and have unique ids, so each is drawn
// once, and its element is kept, with the edit form in it, until the message is gone.
import { autosize, build, button, el, icon, shortTime } from "./dom.js";
import { markdown } from "./markdown.js";

const IDEAS = ["What can you do?", "How do you remember this?", "What's the weather in Zurich?", "I am Ada."];

function card(call, result) {
  const state = !result ? "running" : result.failed ? "failed" : "done";
  const text = result ? result.text : "running";
  return el(
    "div",
    { className: "card", data: { state } },
    icon("tool"),
    el("code", {}, el("b", {}, call.name), `(${call.arguments})`),
    el("span", { className: "result" }, text),
  );
}

function body(message, results) {
  const parts = message.text ? [el("div", { className: "prose" }, markdown(message.text).map(build))] : [];
  return [...parts, ...message.calls.map((call) => card(call, results.get(call.id)))];
}

function resultsOf(messages) {
  return new Map(messages.filter((each) => each.kind === "tool").map((each) => [each.call, each]));
}

export class Messages {
  constructor(root, actions) {
    this.root = root;
    this.actions = actions;
    this.drawn = new Map();
    this.draftNode = null;
    this.answered = null;
  }

  // Show the stored messages; `busy` while an answer is being generated, which will take the place
  // of all that follows the last message of the user.
  show({ messages: stored, busy }) {
    this.answered = busy ? stored.findLastIndex((each) => each.kind === "human") + 1 : null;
    const messages = stored.slice(0, this.answered ?? stored.length);
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
    const last = messages.at(-1);
    if (!busy) this.draftNode = null;
    else this.draftNode ??= this.waiting();
    if (!last && !busy) nodes.push(this.welcome());
    if (this.draftNode) nodes.push(this.draftNode);
    else if (last?.kind === "human") nodes.push(this.unanswered());
    this.place(nodes);
  }

  // Show the draft of an answer to the first `after` messages.
  draft({ after, messages }) {
    if (after !== this.answered) return; // already stored
    const results = resultsOf(messages);
    const parts = messages.filter((each) => each.kind !== "tool").flatMap((each) => body(each, results));
    const node = parts.length ? el("article", { className: "message ai draft" }, ...parts) : this.waiting();
    this.draftNode?.remove();
    this.draftNode = node;
    this.root.querySelector(".unanswered")?.remove();
    this.root.append(node);
  }

  // Change only what differs: an element that moves loses its focus.
  place(nodes) {
    const kept = new Set(nodes);
    for (const child of [...this.root.children]) if (!kept.has(child)) child.remove();
    nodes.forEach((node, index) => {
      if (this.root.children[index] !== node) this.root.insertBefore(node, this.root.children[index] ?? null);
    });
  }

  clear() {
    this.drawn = new Map();
    this.draftNode = null;
    this.answered = null;
    this.root.replaceChildren();
  }

  draw(message, results) {
    const { id, kind, text, at } = message;
    const node = el("article", { className: `message ${kind}`, data: { id: id ?? "" } });
    const time = el("time", { dateTime: at ?? "", title: at ? new Date(at).toLocaleString() : "" }, shortTime(at));
    const branch = button("branch", "Branch here", () => this.actions.branch(id));
    if (kind === "human") {
      const edit = button("edit", "Edit", () => this.edit(node, message));
      const bubble = el("div", { className: "bubble" }, text);
      node.append(bubble, el("div", { className: "meta" }, time, ...(id ? [edit, branch] : [])));
    } else {
      node.append(...body(message, results));
      const regenerate = button("regenerate", "Regenerate", () => this.actions.regenerate(), "quiet regenerate");
      if (!message.calls.length) node.append(el("div", { className: "meta" }, time, ...(id ? [regenerate, branch] : [])));
    }
    return node;
  }

  edit(node, message) {
    if (node.querySelector("form")) return;
    const area = el("textarea", { value: message.text, rows: 1, "aria-label": "Edit message" });
    const close = () => {
      form.remove();
      node.classList.remove("editing");
      this.actions.focus();
    };
    const submit = async () => {
      if (area.value.trim() && (await this.actions.send(area.value, message.id))) close();
    };
    const form = el(
      "form",
      { className: "edit" },
      area,
      el(
        "div",
        { className: "choices" },
        el("span", {}, "Later messages will be replaced."),
        el("button", { type: "button", onclick: close }, "Cancel"),
        el("button", { type: "submit", className: "primary" }, "Send"),
      ),
    );
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      submit();
    });
    area.addEventListener("keydown", (event) => event.key === "Escape" && close());
    const fit = autosize(area, submit);
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
    return el("article", { className: "message ai draft waiting", "aria-label": "Generating an answer" }, ...dots);
  }

  unanswered() {
    const answer = el("button", { type: "button", onclick: () => this.actions.regenerate() }, icon("regenerate"), "Get an answer");
    return el("div", { className: "unanswered" }, "This message has no answer.", answer);
  }

  welcome() {
    const idea = (text) => el("button", { type: "button", onclick: () => this.actions.send(text) }, text);
    return el(
      "div",
      { className: "welcome" },
      el("h2", {}, "How can I help?"),
      el("p", {}, "Messages are stored in Redis or Valkey and shown in every open tab."),
      el("div", { className: "ideas" }, ...IDEAS.map(idea)),
    );
  }
}
