// A browser's globals, so that the viewer's library loads outside one. Must run before the bundle.
import { createRequire } from 'node:module';
const { JSDOM } = createRequire(import.meta.url)('jsdom');
const { window } = new JSDOM('<!doctype html><html><body></body></html>', { pretendToBeVisual: true });
for (const name of ['window', 'document', 'self', 'Image', 'HTMLElement', 'HTMLCanvasElement', 'Event', 'CustomEvent', 'DOMParser', 'XMLSerializer', 'requestAnimationFrame', 'cancelAnimationFrame']) {
  globalThis[name] ??= name === 'self' ? window : window[name] ?? window;
}
globalThis.WebGL2RenderingContext ??= class {};
globalThis.WebGLRenderingContext ??= class {};
