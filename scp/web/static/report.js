// The report: images, tools for mouse, touch and keyboard, findings, feedback, and the history that stays live.

import { live, notice, post, replace } from "/static/page.js";
import { Rubber } from "/static/rubber.js";
import { View } from "/static/view.js";

const reading = document.getElementById("reading");
const history = document.getElementById("history");

live(history.dataset.live, (html) => {
  const fresh = new DOMParser().parseFromString(html, "text/html").getElementById("history");
  const old = document.getElementById("history");
  if (fresh.dataset.revision !== old.dataset.revision) { location.reload(); return; }
  replace(old, fresh.innerHTML);
});

if (reading) read();

function read() {
  const views = [...document.querySelectorAll("figure.view")].map((figure) => new View(figure, reading.dataset));
  const byFigure = new Map(views.map((view) => [view.figure, view]));
  const state = { tool: "pan", active: views[0] ?? null, centre: 0.5, contrast: 1, inverted: false, selected: null };

  function applyWindow() {
    const slope = state.inverted ? -state.contrast : state.contrast;
    const untouched = slope === 1 && state.centre === 0.5;
    for (const name of ["R", "G", "B"]) {
      const part = document.querySelector(`#window feFunc${name}`);
      part.setAttribute("slope", slope);
      part.setAttribute("intercept", 0.5 - slope * state.centre);
    }
    for (const view of views) view.canvas.style.filter = untouched ? "" : "url(#window)";
  }

  function window_(brighter, contrast) {
    state.centre = Math.min(1.2, Math.max(-0.2, state.centre - brighter));
    state.contrast = Math.min(12, Math.max(0.2, state.contrast * contrast));
    applyWindow();
  }

  function pressed(name, value) {
    document.querySelector(`[data-action="${name}"]`).setAttribute("aria-pressed", String(value));
  }

  function chooseTool(tool) {
    state.tool = tool;
    reading.dataset.tool = tool;
    for (const button of reading.querySelectorAll("[data-tool]")) {
      button.setAttribute("aria-pressed", String(button.dataset.tool === tool));
    }
  }

  function enlarge(view) {
    const box = view?.figure.closest(".light-box");
    if (!box) return;
    const now = !view.figure.classList.contains("enlarged");
    for (const other of views) other.figure.classList.remove("enlarged");
    for (const other of document.querySelectorAll(".light-box")) other.classList.toggle("one", now && other === box);
    view.figure.classList.toggle("enlarged", now);
    view.figure.focus({ preventScroll: true });
    for (const other of views) if (other.fitted) other.fit();
  }

  function select(subject) {
    state.selected = subject;
    for (const view of views) view.select(subject);
    for (const line of reading.querySelectorAll(".finding")) {
      line.classList.toggle("selected", line.dataset.subject === subject);
    }
  }

  function show(subject) {
    select(subject);
    const view = views.find((one) => one.boxOf(subject));
    if (!view) return;
    state.active = view;
    view.lookAt(view.boxOf(subject));
    reading.querySelector(`.finding[data-subject="${subject}"]`)?.scrollIntoView({ block: "nearest" });
  }

  function nextFinding() {
    const all = [...reading.querySelectorAll(".finding")].map((line) => line.dataset.subject);
    if (all.length) show(all[(all.indexOf(state.selected) + 1) % all.length]);
  }

  const actions = {
    in: () => state.active?.zoom(1.4),
    out: () => state.active?.zoom(1 / 1.4),
    fit: () => state.active?.fit(),
    full: () => state.active?.fullSize(),
    enlarge: () => enlarge(state.active),
    overlay: () => { const off = reading.classList.toggle("no-marks"); pressed("overlay", !off); },
    invert: () => { state.inverted = !state.inverted; pressed("invert", state.inverted); applyWindow(); },
    unturn: () => { for (const view of views) view.turn(); pressed("unturn", views[0]?.asStored ?? false); },
    help: () => {
      const keys = document.getElementById("keys");
      keys.hidden = !keys.hidden;
      document.querySelector('[data-action="help"]').setAttribute("aria-expanded", String(!keys.hidden));
    },
    reset: () => {
      Object.assign(state, { centre: 0.5, contrast: 1, inverted: false });
      pressed("invert", false);
      applyWindow();
      select(null);
      for (const view of views) view.fit();
    },
  };

  // feedback

  async function say(word) {
    try {
      const opinion = await post(`/api/studies/${reading.dataset.study}/feedback`, word);
      notice(reading.dataset.saved);
      return opinion;
    } catch (error) {
      notice(`${reading.dataset.notSaved} ${error.message}`);
      return null;
    }
  }

  async function judge(line, button) {
    const taken = button.getAttribute("aria-pressed") === "true";
    const verdict = taken ? "withdrawn" : button.dataset.verdict;
    const word = { verdict, subject: line.dataset.subject, pathology: button.dataset.pathology };
    if (!(await say(word))) return;
    if (button.dataset.verdict === "withdrawn") { location.reload(); return; }
    for (const other of line.querySelectorAll("[data-verdict]")) {
      other.setAttribute("aria-pressed", String(other === button && !taken));
    }
  }

  const dialog = document.getElementById("draw");
  let drawn = null;
  const rubber = new Rubber((view, box) => { drawn = { view, box }; dialog.returnValue = ""; dialog.showModal(); });
  dialog.addEventListener("close", async () => {
    const { view, box } = drawn;
    rubber.clear();
    if (dialog.returnValue !== "save") return;
    const form = dialog.querySelector("form");
    const word = { verdict: "added", sop_instance_uid: view.figure.dataset.sop, box };
    word.module = form.elements.module.value;
    word.pathology = form.elements.pathology.value;
    if (await say(word)) location.reload();
  });

  reading.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    const line = event.target.closest(".finding");
    if (button?.dataset.tool) chooseTool(button.dataset.tool);
    else if (button?.dataset.action) actions[button.dataset.action]();
    else if (button?.dataset.verdict && line) judge(line, button);
    else if (button?.classList.contains("show")) show(line.dataset.subject);
  });

  // mouse and touch

  const pointers = new Map();

  function local(view, event) {
    const frame = view.figure.getBoundingClientRect();
    return [event.clientX - frame.left, event.clientY - frame.top];
  }

  function dragged(view, event, last) {
    const [x, y] = local(view, event);
    const [dx, dy] = [x - last[0], y - last[1]];
    pointers.set(event.pointerId, [x, y]);
    const others = [...pointers.entries()].filter(([id]) => id !== event.pointerId);
    if (others.length === 1) {
      const [, other] = others[0];
      const before = Math.hypot(last[0] - other[0], last[1] - other[1]);
      const after = Math.hypot(x - other[0], y - other[1]);
      view.pan(dx / 2, dy / 2);
      view.zoom(after / before, (x + other[0]) / 2, (y + other[1]) / 2);
    } else if (state.tool === "window" || event.buttons & 2) {
      window_(-dy / 500, Math.exp(dx / 250));
    } else if (state.tool === "draw") {
      rubber.drag(view, x, y);
    } else {
      view.pan(dx, dy);
    }
  }

  for (const view of views) {
    const { figure } = view;
    figure.addEventListener("focus", () => { state.active = view; });
    figure.addEventListener("pointerdown", (event) => {
      state.active = view;
      figure.focus({ preventScroll: true });
      figure.setPointerCapture(event.pointerId);
      pointers.set(event.pointerId, local(view, event));
      if (state.tool === "draw" && !(event.buttons & 2)) rubber.begin(view, ...local(view, event));
      event.preventDefault();
    });
    figure.addEventListener("pointermove", (event) => {
      const last = pointers.get(event.pointerId);
      if (last) dragged(view, event, last);
    });
    for (const name of ["pointerup", "pointercancel"]) {
      figure.addEventListener(name, (event) => {
        pointers.delete(event.pointerId);
        if (state.tool === "draw") rubber.end();
        const mark = document.elementsFromPoint(event.clientX, event.clientY).map((at) => at.closest(".mark")).find(Boolean);
        if (mark && state.tool === "pan") select(mark.dataset.subject);
      });
    }
    figure.addEventListener("dblclick", () => enlarge(view));
    figure.addEventListener("contextmenu", (event) => event.preventDefault());
    figure.addEventListener("wheel", (event) => {
      event.preventDefault();
      view.zoom(Math.exp(-event.deltaY * 0.0015), ...local(view, event));
    }, { passive: false });
  }

  // keyboard

  const STEP = 60;
  const onView = {
    "+": actions.in, "=": actions.in, "-": actions.out, "0": actions.fit, "1": actions.full, Enter: actions.enlarge,
    ArrowLeft: () => state.active.pan(STEP, 0), ArrowRight: () => state.active.pan(-STEP, 0),
    ArrowUp: () => state.active.pan(0, STEP), ArrowDown: () => state.active.pan(0, -STEP),
  };
  const anywhere = {
    o: actions.overlay, i: actions.invert, f: actions.unturn, n: nextFinding, "?": actions.help,
    "[": () => window_(-0.04, 1), "]": () => window_(0.04, 1), "{": () => window_(0, 1 / 1.15), "}": () => window_(0, 1.15),
    a: () => press("accepted"), r: () => press("rejected"),
    Escape: () => { const open = views.find((view) => view.figure.classList.contains("enlarged")); if (open) enlarge(open); },
  };

  function press(verdict) {
    reading.querySelector(`.finding.selected [data-verdict="${verdict}"]`)?.click();
  }

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || dialog.open) return;
    if (event.target.closest("input, select, textarea")) return;
    const view = byFigure.get(event.target);
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (view && state.tool === "draw" && rubber.key(view, event)) { event.preventDefault(); return; }
    const action = (view && onView[key]) || anywhere[key];
    if (!action) return;
    event.preventDefault();
    action();
  });

  chooseTool("pan");
  (async () => { for (const view of views) await view.load(); reading.dataset.ready = "yes"; })();
}
