// The box of a missed finding: drawn with mouse or finger, or moved and sized with the arrow keys.

const SVG = "http://www.w3.org/2000/svg";
const LEAST = 4;

export class Rubber {
  constructor(done) {
    this.done = done;
    this.rectangle = document.createElementNS(SVG, "rect");
    this.rectangle.setAttribute("class", "rubber");
    this.clear();
  }

  begin(view, x, y) {
    this.view = view;
    this.from = view.toStored(x, y);
    this.to = this.from;
    this.show();
  }

  drag(view, x, y) {
    if (this.view !== view) return;
    this.to = view.toStored(x, y);
    this.show();
  }

  end() {
    if (!this.view) return;
    const box = this.box();
    if (box[2] - box[0] < LEAST || box[3] - box[1] < LEAST) this.clear();
    else this.done(this.view, box);
  }

  // With the keyboard: the first arrow puts a box at the middle, arrows move it, with Shift they size it, Enter takes it.
  key(view, event) {
    const direction = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (event.key === "Enter" && this.view) { this.end(); return true; }
    if (event.key === "Escape" && this.view) { this.clear(); return true; }
    if (!direction) return false;
    if (this.view !== view) {
      const [x, y] = [view.figure.clientWidth / 2, view.figure.clientHeight / 2];
      this.begin(view, x - 40, y - 40);
      this.to = view.toStored(x + 40, y + 40);
    } else {
      const step = 8 / view.scale;
      const [dx, dy] = [direction[0] * step * (view.mirror ? -1 : 1), direction[1] * step * (view.flip ? -1 : 1)];
      this.to = [this.to[0] + dx, this.to[1] + dy];
      if (!event.shiftKey) this.from = [this.from[0] + dx, this.from[1] + dy];
    }
    this.show();
    return true;
  }

  // Within the image, left to right and top to bottom, in stored pixels.
  box() {
    const inside = ([x, y]) => [Math.min(Math.max(0, x), this.view.columns), Math.min(Math.max(0, y), this.view.rows)];
    const [x0, y0] = inside(this.from);
    const [x1, y1] = inside(this.to);
    return [Math.min(x0, x1), Math.min(y0, y1), Math.max(x0, x1), Math.max(y0, y1)].map((value) => Math.round(value * 10) / 10);
  }

  show() {
    const [x0, y0, x1, y1] = this.box();
    const place = { x: x0, y: y0, width: x1 - x0, height: y1 - y0 };
    for (const [name, value] of Object.entries(place)) this.rectangle.setAttribute(name, value);
    this.view.stored.append(this.rectangle);
  }

  clear() {
    this.rectangle.remove();
    this.view = null;
    this.from = this.to = [0, 0];
  }
}
