// Runs before the first paint: a remembered choice wins over the system's.
const remembered = localStorage.getItem("theme");
if (remembered) document.documentElement.dataset.theme = remembered;
