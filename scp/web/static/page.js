// What every page does: theme, local times, buttons that post, and parts that stay live.

const POLL = 2000;
const PATIENCE = 10_000;

export function csrfToken() {
  return document.querySelector('meta[name="csrf-token"]').content;
}

export function notice(text) {
  const place = document.getElementById("notice");
  place.textContent = text;
  clearTimeout(notice.timer);
  notice.timer = setTimeout(() => { place.textContent = ""; }, 6000);
}

export async function post(url, body) {
  const response = await fetch(url, {
    method: "POST",
    headers: { "X-CSRF-Token": csrfToken(), "Content-Type": "application/json" },
    body: JSON.stringify(body ?? {}),
  });
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) {
    const detail = typeof answer.detail === "string" ? answer.detail : response.statusText;
    throw new Error(detail);
  }
  return answer;
}

export function localTimes(root) {
  const format = new Intl.DateTimeFormat(undefined, { dateStyle: "short", timeStyle: "medium" });
  for (const time of root.querySelectorAll("time[datetime]")) {
    time.title = time.getAttribute("datetime");
    time.textContent = format.format(new Date(time.dateTime));
  }
}

const missed = new Map();
let heard = new Date();

// Says that the node is silent when the same question has missed its answer twice, until any answer comes.
function hear(url, good) {
  const place = document.getElementById("silence");
  if (good) {
    missed.clear();
    heard = new Date();
    place.textContent = "";
    return;
  }
  missed.set(url, (missed.get(url) ?? 0) + 1);
  if (missed.get(url) < 2 || place.textContent) return;
  const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
  place.textContent = place.dataset.words.replace("{time}", clock.format(heard));
}

// A part of the page as HTML; null where no good answer came.
export async function ask(url) {
  let text = null;
  try {
    // a connection that hangs would else be waited for without an end
    const response = await fetch(url, { headers: { Accept: "text/html" }, signal: AbortSignal.timeout(PATIENCE) });
    if (response.redirected || response.status === 401) { location.reload(); return null; }
    text = response.ok ? await response.text() : null;
  } catch { /* no answer at all */ }
  hear(url, text !== null);
  return text;
}

// Asks for a part of the page again and again while it is looked at; `changed` gets each new text.
export function live(url, changed) {
  let last = null;
  async function look() {
    const text = document.hidden ? null : await ask(url);
    setTimeout(look, POLL);
    if (text !== null && text !== last) { last = text; changed(text); }
  }
  setTimeout(look, POLL);
}

// Puts new HTML into a place without losing the keyboard focus.
export function replace(place, html) {
  const focused = place.contains(document.activeElement) ? document.activeElement.id : "";
  place.innerHTML = html;
  localTimes(place);
  if (focused) document.getElementById(focused)?.focus();
}

document.getElementById("theme").addEventListener("click", () => {
  const root = document.documentElement;
  const dark = root.dataset.theme
    ? root.dataset.theme === "dark"
    : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  localStorage.setItem("theme", root.dataset.theme);
});

document.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-post]");
  if (!button) return;
  button.disabled = true;
  try {
    const answer = await post(button.dataset.post, button.dataset.body ? JSON.parse(button.dataset.body) : undefined);
    notice(answer.message ?? answer.text ?? "");
  } catch (error) {
    notice(error.message);
  }
  button.disabled = false;
});

localTimes(document);
