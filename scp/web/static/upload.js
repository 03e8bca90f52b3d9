// Files, folders and ZIPs, one request a file, a few at a time; each gets its answer, each study its state.

import { ask, csrfToken, localTimes } from "/static/page.js";

const AT_ONCE = 3;
const drop = document.getElementById("drop");
const list = document.getElementById("upload-files");
const studies = document.getElementById("upload-studies");
const bar = document.getElementById("upload-progress");
const count = document.getElementById("upload-count");
const ENDED = ["delivered", "failed", "excluded", "cancelled"];
// for so long after an upload the worklist may still tell how the study's earlier images ended
const NOTICED = 5000;

const queue = [];
const progress = new Map();
const followed = new Map();
let running = 0;
let ended = 0;

function show() {
  const total = progress.size;
  let done = 0;
  for (const part of progress.values()) done += part;
  bar.value = total ? done / total : 0;
  count.textContent = `${ended} / ${total}`;
}

function addLine(name, text, good) {
  const line = document.createElement("li");
  const title = document.createElement("b");
  title.textContent = name;
  line.append(title, ` ${text}`);
  line.className = good ? "good" : "bad";
  list.append(line);
}

function answered(file, answer) {
  for (const one of answer.files) {
    if (one.study_instance_uid) follow(one.study_instance_uid);
    if (!one.accepted) addLine(one.name || file.name, `${one.reason.text} ${one.reason.remedy}`, false);
  }
}

function send(file) {
  running += 1;
  const request = new XMLHttpRequest();
  request.open("POST", "/api/upload");
  request.setRequestHeader("X-CSRF-Token", csrfToken());
  request.responseType = "json";
  request.upload.addEventListener("progress", (event) => {
    if (event.lengthComputable) { progress.set(file, 0.95 * event.loaded / event.total); show(); }
  });
  request.addEventListener("loadend", () => {
    if (request.status === 200) answered(file, request.response);
    else addLine(file.name, request.response?.detail ?? drop.dataset.notSent, false);
    progress.set(file, 1);
    running -= 1;
    ended += 1;
    show();
    next();
  });
  const form = new FormData();
  form.append("files", file, file.name);
  request.send(form);
}

function next() {
  while (running < AT_ONCE && queue.length) send(queue.shift());
}

function take(files) {
  document.getElementById("progress").hidden = false;
  for (const file of files) { queue.push(file); progress.set(file, 0); }
  show();
  next();
}

function follow(uid) {
  const known = followed.get(uid);
  if (known) {
    known.uploaded = Date.now();
    if (known.place.dataset.ended) { delete known.place.dataset.ended; look(uid); }
    return;
  }
  const line = document.createElement("li");
  const link = document.createElement("a");
  link.href = `/studies/${uid}`;
  link.textContent = drop.dataset.openReport;
  const place = document.createElement("span");
  const state = document.createElement("span");
  state.className = "state";
  state.textContent = drop.dataset.received;
  place.append(state);
  const name = document.createElement("span");
  name.className = "uid";
  name.textContent = uid;
  line.append(link, " ", place, " ", name);
  studies.append(line);
  followed.set(uid, { place, uploaded: Date.now(), told: "" });
  look(uid);
}

async function look(uid) {
  const study = followed.get(uid);
  const html = await ask(`/worklist/rows?text=${uid}`);
  const found = html === null ? null : new DOMParser().parseFromString(html, "text/html");
  const row = found?.getElementById(`open-${uid}`)?.closest("tr");
  if (row) {
    tell(study, row);
    if (ENDED.includes(row.querySelector(".told").dataset.state) && Date.now() - study.uploaded > NOTICED) {
      study.place.dataset.ended = "yes";
      return;
    }
  }
  setTimeout(() => look(uid), 1000);
}

// In the worklist's own words: a study of which an image failed must not look like one that is well done.
function tell(study, row) {
  const words = row.querySelector(".told");
  const grade = row.querySelector(".grade:not(.none)");
  if (grade) words.querySelector(".state").append(`, grade ${grade.textContent}`);
  if (words.innerHTML === study.told) return;
  study.told = words.innerHTML;
  study.place.replaceChildren(...words.childNodes);
  localTimes(study.place);
}

async function filesOf(entry) {
  if (entry.isFile) return [await new Promise((resolve, reject) => entry.file(resolve, reject))];
  const reader = entry.createReader();
  const found = [];
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) return found;
    for (const one of some) found.push(...await filesOf(one));
  }
}

if (drop) {
  for (const id of ["files", "folder"]) {
    const input = document.getElementById(id);
    input.addEventListener("change", () => { take([...input.files]); input.value = ""; });
  }
  for (const name of ["dragenter", "dragover"]) {
    drop.addEventListener(name, (event) => { event.preventDefault(); drop.classList.add("over"); });
  }
  drop.addEventListener("dragleave", () => drop.classList.remove("over"));
  drop.addEventListener("drop", async (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry()).filter(Boolean);
    for (const entry of entries) take(await filesOf(entry));
  });
}
