"use strict";
// The page of `containerkit lab view`. Everything lies below the path that holds the token.
const find = (id) => document.getElementById(id);
const LIMIT = 4; // a browser keeps six connections to one server
const terminals = new Map(); // host -> {term, tab, screen, path}
let drawn = "";

function say(text, bad) {
  find("message").textContent = text;
  find("message").className = bad ? "bad" : "";
}

async function ask(path, options) {
  const answer = await fetch(path, { cache: "no-store", ...options });
  if (!answer.ok) throw new Error(await answer.text());
  return answer;
}

const post = (path, body) => ask(path, { method: "POST", body });

function size(bytes) {
  for (const unit of ["B", "kB", "MB", "GB"]) {
    if (bytes < 1000 || unit === "GB") return `${bytes < 10 && unit !== "B" ? bytes.toFixed(1) : Math.round(bytes)} ${unit}`;
    bytes /= 1000;
  }
}

function row(cells) {
  const line = document.createElement("tr");
  for (const [text, kind] of cells) {
    const cell = line.insertCell();
    cell.textContent = text;
    if (kind) cell.className = kind;
  }
  return line;
}

function show(state) {
  document.title = `Lab ${state.name}`;
  find("name").textContent = `Lab ${state.name}`;
  find("hosts").replaceChildren(...state.hosts.map(({ name, status }) => {
    const item = document.createElement("li");
    const button = document.createElement("button");
    button.textContent = status === "running" ? name : `${name} (${status})`;
    button.title = `Terminal on ${name}`;
    button.disabled = status !== "running";
    button.onclick = () => open(name);
    item.append(button);
    return item;
  }));
  find("links").replaceChildren(...state.links.map((link) => row([
    [link.host], [link.interface], [link.network],
    link.up === null ? ["unknown"] : link.up ? ["up"] : ["down", "down"],
    [size(link.sent)], [size(link.received)],
  ])));
}

async function refresh() {
  try {
    const state = await (await ask("state")).json();
    show(state);
    const look = JSON.stringify([state.hosts, state.links.map((link) => link.up)]);
    if (look !== drawn) {
      find("drawing").innerHTML = await (await ask("drawing")).text();
      for (const host of find("drawing").querySelectorAll("g[data-host]")) host.onclick = () => open(host.dataset.host);
      drawn = look;
    }
    if (find("message").className === "bad" && !terminals.size) say("");
  } catch (error) {
    say(error.message, true);
  }
  setTimeout(refresh, 2000);
}

function select(host) {
  for (const [name, each] of terminals) {
    each.screen.hidden = name !== host;
    each.tab.setAttribute("aria-selected", name === host);
  }
  find("terminals").hidden = terminals.size === 0;
  terminals.get(host)?.term.focus();
}

async function open(host) {
  if (terminals.has(host)) return select(host);
  if (terminals.size >= LIMIT) return say(`${LIMIT} terminals are open; end one first`, true);
  const screen = document.createElement("div");
  const tab = document.createElement("button");
  tab.textContent = host;
  tab.onclick = () => select(host);
  find("tabs").append(tab);
  find("screens").append(screen);
  find("terminals").hidden = false;
  const columns = Math.max(40, Math.floor((find("screens").clientWidth - 40) / 9));
  const term = new Terminal({ rows: 18, cols: columns, scrollback: 5000, fontSize: 14 });
  term.open(screen);
  const entry = { term, tab, screen, path: null };
  terminals.set(host, entry);
  select(host);
  try {
    const made = await (await post("terminals", JSON.stringify({ host, rows: 18, columns }))).json();
    entry.path = `terminals/${made.id}`;
    let sending = Promise.resolve(); // input in the order of typing
    term.onData((text) => {
      sending = sending.then(() => post(`${entry.path}/input`, text)).catch((error) => say(error.message, true));
    });
    const reader = (await ask(entry.path)).body.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      term.write(value);
    }
    say(`the shell on ${host} ended`);
  } catch (error) {
    say(error.message, true);
  }
  terminals.delete(host);
  tab.remove();
  screen.remove();
  term.dispose();
  select([...terminals.keys()].pop());
}

refresh();
