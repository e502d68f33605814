// The page: which conversation is open, what the server says of it, and what the person does.
import { button, el, icon, shortTime, writable } from "./dom.js";
import { Messages } from "./messages.js";

const at = (id) => document.getElementById(id);
const log = at("log");
const text = at("text");
let current = "";
let source = null;
let busy = false;
let sending = false;
let listed = [];

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
    problem(answer.problem ?? "The server refused this.", response.status === 503);
  } catch {
    problem("The server does not answer. Nothing was sent.");
  }
  return null;
}

const actions = {
  focus: () => text.focus(),
  async send(said, insteadOf = null) {
    if (busy || sending) return false;
    problem("");
    sending = true;
    const sent = await request("POST", `${current}/messages`, { text: said, instead_of: insteadOf });
    sending = false;
    if (sent) toEnd();
    return sent !== null;
  },
  async regenerate() {
    problem("");
    await request("POST", `${current}/answers`);
  },
  async branch(entry) {
    const made = await request("POST", `${current}/branches`, { entry });
    if (made) location.hash = made.id;
  },
  async remove(id) {
    if (await request("DELETE", id)) if (id === current) location.hash = newId();
  },
};
const messages = new Messages(at("messages"), actions);

// What the server says

function listen() {
  source?.close();
  source = new EventSource(`api/conversations/${current}/events`);
  const on = (name, react) => source.addEventListener(name, (event) => react(JSON.parse(event.data)));
  on("conversation", (data) => {
    if (data.id !== current) return;
    keepingToEnd(() => messages.show(data));
    setBusy(data.busy);
    state("in step");
  });
  on("draft", (data) => keepingToEnd(() => messages.draft(data)));
  on("sidebar", showSidebar);
  on("problem", problem);
  on("away", (why) => state("away", why));
  source.onerror = (event) => {
    if (event.data !== undefined) return;
    state("away", "The server does not answer. Trying again.");
    if (event.target.readyState === EventSource.CLOSED && event.target === source) setTimeout(listen, 1000);
  };
}

function state(name, why = "") {
  at("state").dataset.state = name;
  at("state").textContent = name === "away" ? "offline" : "in step";
  if (name === "away") problem(why, true);
  else if (at("problem").dataset.away) problem("");
}

function problem(why, away = false) {
  at("problem").hidden = !why;
  at("problem").dataset.away = away ? "yes" : "";
  at("problem").firstElementChild.textContent = why;
}

function setBusy(now) {
  busy = now;
  document.body.classList.toggle("busy", now);
  at("send-button").disabled = now;
}

// The sidebar

function showSidebar(conversations) {
  listed = conversations;
  at("conversations").replaceChildren(...conversations.map(item));
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
  const title = listed.find((one) => one.id === current)?.title ?? "New chat";
  at("title").textContent = title;
  document.title = `${title} · Memorystore chat`;
}

function confirmDelete(id, title) {
  const dialog = at("confirm");
  dialog.querySelector("p").textContent = `“${title}” is removed from the server, in every tab.`;
  dialog.returnValue = "no";
  dialog.onclose = () => dialog.returnValue === "yes" && actions.remove(id);
  dialog.showModal();
}

// Scrolling: the end stays in view unless the reader has gone up

function toEnd() {
  log.scrollTop = log.scrollHeight;
}

function keepingToEnd(change) {
  const near = log.scrollHeight - log.scrollTop - log.clientHeight < 80;
  change();
  if (near) toEnd();
}

// Opening a conversation: its id is the fragment of the address

function newId() {
  return [...crypto.getRandomValues(new Uint8Array(8))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

function open() {
  const wanted = location.hash.slice(1);
  if (!/^[a-z0-9-]{1,64}$/.test(wanted)) {
    history.replaceState(null, "", `#${newId()}`);
    return open();
  }
  current = wanted;
  document.body.classList.remove("menu-open");
  messages.clear();
  setBusy(false);
  problem("");
  showSidebar(listed);
  listen();
  text.focus();
}

// The composer

async function submit() {
  const said = text.value;
  if (!said.trim() || !(await actions.send(said))) return;
  text.value = "";
  fit();
}

const fit = writable(text, submit);
at("composer").addEventListener("submit", (event) => {
  event.preventDefault();
  submit();
});
text.addEventListener("keydown", (event) => {
  if (event.key !== "ArrowUp" || text.value) return;
  event.preventDefault();
  messages.editLast();
});
at("new").addEventListener("click", () => (location.hash = newId()));
at("menu-button").addEventListener("click", () => document.body.classList.toggle("menu-open"));
at("shade").addEventListener("click", () => document.body.classList.remove("menu-open"));
at("problem").lastElementChild.addEventListener("click", () => problem(""));
window.addEventListener("hashchange", open);
window.addEventListener("pagehide", () => source?.close());
window.addEventListener("pageshow", (event) => event.persisted && listen());
open();
