// One image: a scaled picture first, then tiles at the size that is looked at, with marks in stored pixels over it.

const TILES_KEPT = 160;

export class View {
  constructor(figure, words) {
    this.figure = figure;
    this.words = words;
    this.url = figure.dataset.url;
    this.rows = Number(figure.dataset.rows);
    this.columns = Number(figure.dataset.columns);
    this.canvas = figure.querySelector("canvas");
    this.overlay = figure.querySelector("svg.overlay");
    this.stored = this.overlay.querySelector(".stored");
    this.hanging = { mirror: false, flip: false, chest_wall: figure.dataset.laterality === "L" ? "left" : "right" };
    this.asStored = false;
    this.fitted = true;
    this.scale = 1;
    this.x = 0;
    this.y = 0;
    this.tiles = new Map();
    this.preview = null;
    this.labels = new Map();
    this.size = [figure.clientWidth, figure.clientHeight];
    // on paper the figure gets another size, and what is painted is scaled to it without being painted anew
    const side = { R: "xMax", L: "xMin" }[figure.dataset.laterality] ?? "xMid";
    this.overlay.setAttribute("preserveAspectRatio", `${side}YMid meet`);
    this.makeLabels();
    new ResizeObserver(() => this.resize()).observe(figure);
  }

  async load() {
    const note = this.figure.querySelector(".hanging");
    try {
      const response = await fetch(this.url);
      if (!response.ok) throw new Error((await response.json()).detail);
      Object.assign(this.hanging, await response.json());
      this.rows = this.hanging.rows;
      this.columns = this.hanging.columns;
      this.preview = await picture(`${this.url}/preview.jpeg`);
      this.figure.dataset.loaded = "yes";
      this.sayHanging();
      this.fit();
    } catch (error) {
      note.textContent = `${this.words.unshown} ${error.message}`;
      note.classList.add("bad");
      this.figure.dataset.loaded = "failed";
    }
  }

  sayHanging() {
    const said = [];
    if (!this.asStored && this.hanging.mirror) said.push(this.words.mirrored);
    if (!this.asStored && this.hanging.flip) said.push(this.words.turned);
    if (this.hanging.basis === "unknown") said.push(this.words.asStored);
    if (this.hanging.conflict) said.push(this.words.conflict);
    this.figure.querySelector(".hanging").textContent = said.join("; ");
  }

  // geometry: stored pixel (column, row) <-> CSS pixel of the figure

  get mirror() { return this.hanging.mirror && !this.asStored; }
  get flip() { return this.hanging.flip && !this.asStored; }

  matrix() {
    const a = this.mirror ? -this.scale : this.scale;
    const d = this.flip ? -this.scale : this.scale;
    const e = this.x + (this.mirror ? this.columns * this.scale : 0);
    const f = this.y + (this.flip ? this.rows * this.scale : 0);
    return { a, d, e, f };
  }

  toScreen(x, y) {
    const { a, d, e, f } = this.matrix();
    return [a * x + e, d * y + f];
  }

  toStored(x, y) {
    const { a, d, e, f } = this.matrix();
    return [(x - e) / a, (y - f) / d];
  }

  fit() {
    const { clientWidth: width, clientHeight: height } = this.figure;
    this.scale = Math.min(width / this.columns, height / this.rows);
    const room = width - this.columns * this.scale;
    const wallRight = (this.hanging.chest_wall === "right") !== (this.asStored && this.hanging.mirror);
    this.x = this.figure.dataset.laterality ? (wallRight ? room : 0) : room / 2;
    this.y = (height - this.rows * this.scale) / 2;
    this.fitted = true;
    this.draw();
  }

  // The middle of what is seen of the image.
  middle() {
    const { clientWidth: width, clientHeight: height } = this.figure;
    const inside = (from, size, room) => (Math.max(0, from) + Math.min(room, from + size)) / 2;
    return [inside(this.x, this.columns * this.scale, width), inside(this.y, this.rows * this.scale, height)];
  }

  zoom(factor, x = this.middle()[0], y = this.middle()[1]) {
    const least = 0.5 * Math.min(this.figure.clientWidth / this.columns, this.figure.clientHeight / this.rows);
    const scale = Math.min(16, Math.max(least, this.scale * factor));
    this.x = x - (x - this.x) * scale / this.scale;
    this.y = y - (y - this.y) * scale / this.scale;
    this.scale = scale;
    this.fitted = false;
    this.draw();
  }

  fullSize() {
    this.zoom(1 / (devicePixelRatio * this.scale));
  }

  pan(dx, dy) {
    this.x += dx;
    this.y += dy;
    this.fitted = false;
    this.draw();
  }

  lookAt([x0, y0, x1, y1]) {
    const { clientWidth: width, clientHeight: height } = this.figure;
    const size = Math.max(x1 - x0, y1 - y0, 300) * 2.5;
    this.scale = Math.min(width, height) / size;
    const [x, y] = this.toScreen((x0 + x1) / 2, (y0 + y1) / 2);
    this.pan(width / 2 - x, height / 2 - y);
  }

  // A view that was zoomed keeps its middle and grows with its place.
  resize() {
    const { clientWidth: width, clientHeight: height } = this.figure;
    if (!this.preview || !width || !height) return;
    if (this.fitted) { this.fit(); return; }
    const growth = Math.min(width / this.size[0], height / this.size[1]);
    const [x, y] = this.toStored(this.size[0] / 2, this.size[1] / 2);
    this.scale *= growth;
    const [atX, atY] = this.toScreen(x, y);
    this.pan(width / 2 - atX, height / 2 - atY);
  }

  turn() {
    this.asStored = !this.asStored;
    this.sayHanging();
    this.fit();
  }

  // drawing

  draw() {
    if (!this.waiting) {
      this.waiting = true;
      requestAnimationFrame(() => { this.waiting = false; this.paint(); });
    }
  }

  paint() {
    const { clientWidth: width, clientHeight: height } = this.figure;
    if (!width || !height) return;
    this.size = [width, height];
    const { width: exactWidth, height: exactHeight } = this.overlay.getBoundingClientRect();
    this.overlay.setAttribute("viewBox", `0 0 ${exactWidth} ${exactHeight}`);
    const ratio = devicePixelRatio;
    if (this.canvas.width !== Math.round(width * ratio) || this.canvas.height !== Math.round(height * ratio)) {
      this.canvas.width = Math.round(width * ratio);
      this.canvas.height = Math.round(height * ratio);
    }
    const context = this.canvas.getContext("2d", { alpha: false });
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.fillStyle = "#000";
    context.fillRect(0, 0, this.canvas.width, this.canvas.height);
    context.imageSmoothingEnabled = this.scale * ratio < 3;
    context.imageSmoothingQuality = "high";
    if (this.preview) {
      this.place(context, this.preview, 0, 0, this.columns, this.rows, false);
      for (const tile of this.visibleTiles()) this.place(context, tile.image, tile.x, tile.y, tile.x1, tile.y1, true);
    }
    this.paintMarks();
  }

  // Draws `image` over a rectangle of stored pixels; `whole` puts tiles on whole device pixels, so that none gapes.
  place(context, image, x0, y0, x1, y1, whole) {
    const ratio = devicePixelRatio;
    const [left, right] = [this.toScreen(x0, 0)[0] * ratio, this.toScreen(x1, 0)[0] * ratio].sort((a, b) => a - b);
    const [top, bottom] = [this.toScreen(0, y0)[1] * ratio, this.toScreen(0, y1)[1] * ratio].sort((a, b) => a - b);
    const [l, t, r, b] = whole ? [left, top, right, bottom].map(Math.round) : [left, top, right, bottom];
    context.setTransform(this.mirror ? -1 : 1, 0, 0, this.flip ? -1 : 1, this.mirror ? r : l, this.flip ? b : t);
    context.drawImage(image, 0, 0, r - l, b - t);
    context.setTransform(1, 0, 0, 1, 0, 0);
  }

  visibleTiles() {
    const shown = this.scale * devicePixelRatio;
    if (shown <= 1.1 * this.preview.naturalWidth / this.columns) return [];
    const level = shown <= 0.55 ? 1 : 0;
    const size = this.hanging.tile * 2 ** level;
    const corners = [this.toStored(0, 0), this.toStored(this.figure.clientWidth, this.figure.clientHeight)];
    const [x0, x1] = [corners[0][0], corners[1][0]].sort((a, b) => a - b);
    const [y0, y1] = [corners[0][1], corners[1][1]].sort((a, b) => a - b);
    const ready = [];
    for (let row = Math.max(0, Math.floor(y0 / size)); row * size < Math.min(y1, this.rows); row += 1) {
      for (let column = Math.max(0, Math.floor(x0 / size)); column * size < Math.min(x1, this.columns); column += 1) {
        const tile = this.tile(level, column, row, size);
        if (tile?.image) ready.push(tile);
      }
    }
    return ready;
  }

  tile(level, column, row, size) {
    const key = `${level}/${column}/${row}`;
    let tile = this.tiles.get(key);
    if (!tile) {
      if (level === 1 && (column * size / 2 >= Math.floor(this.columns / 2) || row * size / 2 >= Math.floor(this.rows / 2))) return null;
      tile = { x: column * size, y: row * size, x1: Math.min(this.columns, (column + 1) * size), y1: Math.min(this.rows, (row + 1) * size), image: null };
      picture(`${this.url}/tiles/${key}.png`).then((image) => { tile.image = image; this.draw(); }, () => this.tiles.delete(key));
    }
    this.tiles.delete(key);
    this.tiles.set(key, tile);
    if (this.tiles.size > TILES_KEPT) this.tiles.delete(this.tiles.keys().next().value);
    return tile;
  }

  // marks

  get marks() { return [...this.stored.querySelectorAll(".mark")]; }

  makeLabels() {
    for (const mark of this.marks) {
      const label = document.createElementNS("http://www.w3.org/2000/svg", "text");
      label.textContent = mark.dataset.label;
      label.setAttribute("class", mark.getAttribute("class").replace("mark", "label"));
      this.overlay.append(label);
      this.labels.set(mark, label);
    }
  }

  paintMarks() {
    const { a, d, e, f } = this.matrix();
    this.stored.setAttribute("transform", `matrix(${a} 0 0 ${d} ${e} ${f})`);
    const width = this.figure.clientWidth;
    const taken = [];
    // few marks, or looked at closely: all is written beside them; else their numbers alone
    const spacious = this.labels.size <= 2 || !this.fitted;
    for (const [mark, label] of this.labels) {
      const [x0, y0, x1, y1] = mark.dataset.box.split(",").map(Number);
      const xs = [this.toScreen(x0, y0)[0], this.toScreen(x1, y1)[0]];
      const ys = [this.toScreen(x0, y0)[1], this.toScreen(x1, y1)[1]];
      const text = spacious || mark.classList.contains("selected") ? mark.dataset.label : mark.dataset.short;
      if (label.textContent !== text) label.textContent = text;
      const length = label.getComputedTextLength();
      const x = Math.min(Math.max(4, Math.min(...xs)), Math.max(4, width - length - 4));
      let y = Math.min(...ys) - 6;
      if (y < 14 && Math.max(...ys) > 0) y = Math.max(...ys) + 16;
      while (taken.some((other) => Math.abs(other.y - y) < 15 && x < other.x1 && other.x < x + length)) y += 15;
      taken.push({ x, y, x1: x + length });
      label.setAttribute("x", x);
      label.setAttribute("y", y);
    }
  }

  select(subject) {
    for (const [mark, label] of this.labels) {
      const chosen = mark.dataset.subject === subject;
      mark.classList.toggle("selected", chosen);
      label.classList.toggle("selected", chosen);
    }
    this.draw();
  }

  boxOf(subject) {
    const mark = this.marks.find((one) => one.dataset.subject === subject);
    return mark ? mark.dataset.box.split(",").map(Number) : null;
  }
}

function picture(url) {
  return new Promise((resolve, reject) => {
    const image = new Image();
    image.addEventListener("load", () => resolve(image));
    image.addEventListener("error", () => reject(new Error(url)));
    image.src = url;
  });
}
