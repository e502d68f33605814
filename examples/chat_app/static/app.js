// The page: the open conversation, the events of the server, and the actions of the user.
import { autosize, button, el, icon, shortTime } from "./dom.js";
import { Messages } from "./messages.js";

const byId = (id) => document.getElementById(id);
const log = byId("log");
const text = byId("text");
let current = "";
let source = null;
let busy = false;
let sending = false;
let sidebar = [];

// Requests

async function request(method, path, data) {
  try {
    const response = await fetch(`api/conversations/${path}`, {
      method,
      headers: { "Content-Type": "application/json" },
      body: data && JSON.stringify(data),
    });
    const answer = response.status === 204 ? null : await response.json();
    if (response.ok) return answer ?? {};
    problem(answer.problem ?? "The server refused the request.", response.status === 503);
  } catch {
    problem("The server is not reachable. Nothing was sent.");
  }
  return null;
}

const actions = {
  focus: () => text.focus(),
  async send(message, replaces = null) {
    if (busy || sending) return false;
    problem("");
    sending = true;
    const accepted = await request("POST", `${current}/messages`, { text: message, replaces });
    sending = false;
    if (accepted) toEnd();
    return accepted !== null;
  },
  async regenerate() {
    problem("");
    await request("POST", `${current}/answers`);
  },
  async branch(entry) {
    const created = await request("POST", `${current}/branches`, { entry });
    if (created) location.hash = created.id;
  },
  async remove(id) {
    if (await request("DELETE", id)) if (id === current) location.hash = newId();
  },
};
const messages = new Messages(byId("messages"), actions);

// Events of the server

function listen() {
  source?.close();
  source = new EventSource(`api/conversations/${current}/events`);
  const on = (name, handle) => source.addEventListener(name, (event) => handle(JSON.parse(event.data)));
  on("conversation", (data) => {
    if (data.id !== current) return;
    keepingToEnd(() => messages.show(data));
    setBusy(data.busy);
    showState("online");
  });
  on("draft", (data) => keepingToEnd(() => messages.draft(data)));
  on("sidebar", showSidebar);
  on("problem", problem);
  on("offline", (why) => showState("offline", why));
  source.onerror = (event) => {
    if (event.data !== undefined) return;
    showState("offline", "The server is not reachable. Trying again.");
    if (event.target.readyState === EventSource.CLOSED && event.target === source) setTimeout(listen, 1000);
  };
}

function showState(name, why = "") {
  byId("state").dataset.state = name;
  byId("state").textContent = name;
  if (name === "offline") problem(why, true);
  else if (byId("problem").dataset.offline) problem("");
}

function problem(why, offline = false) {
  byId("problem").hidden = !why;
  byId("problem").dataset.offline = offline ? "yes" : "";
  byId("problem").firstElementChild.textContent = why;
}

function setBusy(value) {
  busy = value;
  document.body.classList.toggle("busy", value);
  byId("send-button").disabled = value;
}

// The sidebar

function showSidebar(conversations) {
  sidebar = conversations;
  byId("conversations").replaceChildren(...conversations.map(item));
  showTitle();
}

function item({ id, title, messages: count, at: when }) {
  const isBranch = id.startsWith("branch-");
  const link = el(
    "a",
    { href: `#${id}`, title },
    el("span", { className: "name" }, isBranch ? icon("branch") : null, el("span", {}, title)),
    el("small", {}, `${shortTime(when)} · ${count} ${count === 1 ? "message" : "messages"}`),
  );
  if (id === current) link.setAttribute("aria-current", "page");
  return el("div", { className: "item", data: { id } }, link, button("delete", "Delete", () => confirmDelete(id, title)));
}

function showTitle() {
  const title = sidebar.find((each) => each.id === current)?.title ?? "New chat";
  byId("title").textContent = title;
  document.title = `${title} · Memorystore chat`;
}

function confirmDelete(id, title) {
  const dialog = byId("confirm");
  dialog.querySelector("p").textContent = `“${title}” will be deleted from the server.`;
  dialog.returnValue = "no";
  dialog.onclose = () => dialog.returnValue === "yes" && actions.remove(id);
  dialog.showModal();
}

// Scrolling: the end stays in view unless the user has scrolled up

function toEnd() {
  log.scrollTop = log.scrollHeight;
}

function keepingToEnd(change) {
  const isAtEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 80;
  change();
  if (isAtEnd) toEnd();
}

// Opening a conversation: its id is the fragment of the address

function newId() {
  return [...crypto.getRandomValues(new Uint8Array(8))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

function open() {
  const id = location.hash.slice(1);
  if (!/^[a-z0-9-]{1,64}$/.test(id)) {
    history.replaceState(null, "", `#${newId()}`);
    return open();
  }
  current = id;
  document.body.classList.remove("menu-open");
  messages.clear();
  setBusy(false);
  problem("");
  showSidebar(sidebar);
  listen();
  text.focus();
}

// The composer

async function submit() {
  const message = text.value;
  if (!message.trim() || !(await actions.send(message))) return;
  text.value = "";
  fit();
}

const fit = autosize(text, submit);
byId("composer").addEventListener("submit", (event) => {
  event.preventDefault();
  submit();
});
text.addEventListener("keydown", (event) => {
  if (event.key !== "ArrowUp" || text.value) return;
  event.preventDefault();
  messages.editLast();
});
byId("new").addEventListener("click", () => (location.hash = newId()));
byId("menu-button").addEventListener("click", () => document.body.classList.toggle("menu-open"));
byId("shade").addEventListener("click", () => document.body.classList.remove("menu-open"));
byId("problem").lastElementChild.addEventListener("click", () => problem(""));
window.addEventListener("hashchange", open);
window.addEventListener("pagehide", () => source?.close());
window.addEventListener("pageshow", (event) => event.persisted && listen());
open();
